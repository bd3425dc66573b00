"""What run files tell beyond pulses: each procedure's tables, brought to the functions of this room.

    G(n) = G(0)/(1 + wear_top w),    w = n s/endurance
    s = sum over SET and RESET of exp((V - wear_voltage)/wear_acceleration) (wear_idle + swing/2)

with the swing of a cycle in units of `maximum`. Of a SET's top and the floor, the top is what all windows show.

A cell forms at the first pulse with V_BL - cost >= V_form, where a pulse shorter than 1 us and a low gate cost

    forming_decade log10(1 us/width) + forming_gate_loss max(forming_gate - V_WL, 0)

so V_form lies above the most that did not form it, up to what did. The likelihood is that of censored intervals of a normal
distribution. A cell that no pulse formed although it had what forms all others is lost.

    rate(T) = exp(-E/k (1/T - 1/T_ref))/retention_time

All rates count, also those that are not told from none: were only those taken that stand out from their errors, a rate
would be in where chance has made it large, and energies would come out too low. Intervals are those of the profile
likelihood, in closed form, since at a given energy all rates are in proportion to 1/retention_time.

A share s of the cells is stuck: a cell that moved has the likelihood 1 - s, and one that held still, as one that is not
stuck does with the chance q, has s + (1 - s) q. It counts as stuck for q = 0, and not at all for 1; with these only it is
the binomial likelihood of a count. Cells that pulses formed moved, whatever they do afterwards.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.errors import RunFileError
from mho.extensions.calibration.censored_normal import censored_normal
from mho.extensions.calibration.experiments.ageing import RATE, AgeingReads, ageing
from mho.extensions.calibration.experiments.estimates import FEWEST, TAIL, ParameterEstimate, is_told, reach
from mho.extensions.calibration.experiments.noise_levels import noise_levels
from mho.extensions.calibration.experiments.programming_times import Before, EarlierRuns, Undisturbed
from mho.extensions.calibration.pulses_by_cell import formed_above
from mho.extensions.calibration.still_cells import UNLIKELY, Unmoved
from mho.extensions.calibration.transitions import Sequences, Transitions
from mho.runs import RunFile
from mho.toml import load_toml

ODDS = np.linspace(-25.0, 25.0, 5001)  # ln of s/(1 - s)


@dataclass(frozen=True)
class StuckCells:
    """What became of the cells that were pulsed."""

    moving: int  # cells that pulses move. Those of which nothing is known count nowhere
    # held_on, held_off: of the cells that held still in LRS and in HRS, the chances that ones that are not
    # stuck do
    held_on: Floats = field(default_factory=lambda: np.zeros(0))
    held_off: Floats = field(default_factory=lambda: np.zeros(0))

    @property
    def on(self) -> int:
        """Cells that are stuck in LRS."""
        return int((self.held_on <= UNLIKELY).sum())

    @property
    def off(self) -> int:
        """Cells that are stuck in HRS."""
        return int((self.held_off <= UNLIKELY).sum())

    @property
    def told(self) -> int:
        """Cells of which it is known."""
        return self.moving + self.on + self.off

    def shares(self) -> list[ParameterEstimate]:
        """Return `stuck_on` and `stuck_off`, each where there is such a cell: else its interval begins at 0.

        Values and intervals are those of the posterior of a share with the prior of Jeffreys (Brown, Cai and DasGupta,
        Statistical Science 16, 101 (2001), section 3.1 (?)).
        """
        kinds = ("stuck_on", self.held_on, self.on, self.off), ("stuck_off", self.held_off, self.off, self.on)
        return [
            ParameterEstimate(name, *share_of(self.moving + others, odds)) for name, odds, count, others in kinds if count
        ]  # fmt: skip

    def bound(self) -> float:
        """Return the share below which one of which no cell was seen lies with 95 %."""
        return 1.0 - 0.05 ** (1.0 / self.told) if self.told else 1.0


def share_of(moving: int, likelihood: Floats) -> tuple[float, float, float]:
    """Return the median of the posterior of a share, and the ends of its 95 % interval.

    `moving` cells are not stuck; `likelihood` are the chances with which those would have held still that did.
    """
    share = 1.0 / (1.0 + np.exp(-ODDS))
    density = 0.5 * np.log(share) + (moving + 0.5) * np.log1p(-share)  # by the odds
    density += np.log(share[:, None] + (1.0 - share[:, None]) * likelihood).sum(axis=1)
    weight = np.exp(density - density.max())
    below = np.cumsum(weight) - 0.5 * weight
    value, low, high = np.interp([0.5, TAIL, 1.0 - TAIL], below / weight.sum(), share)
    return float(value), float(low), float(high)


def stuck_cells(unmoved: Unmoved, lost: int = 0) -> StuckCells:
    """Count the cells that pulses move and those that they do not; `lost` ones no pulse formed: stuck in HRS."""
    on, off = (chances[chances < 1.0] for chances in (unmoved.on, unmoved.off))
    return StuckCells(int(unmoved.moving.sum()), on, np.concatenate([off, np.zeros(lost)]))


BOLTZMANN = 8.617333e-5  # eV/K
COMMON = 0.01  # of a rate, common to all cells: lines in series with a cell hide as much of what it loses
LARGEST, NODES = 3.0, 3001  # times the base's energy, and energies that are tried up to there
APART = 1e-5  # 1/K: temperatures that are nearer count as one


@dataclass(frozen=True)
class Rate:
    """How fast cells lose their conductance at a temperature (K): 1/s, with its standard error."""

    temperature: float
    rate: float
    error: float

    @property
    def seen(self) -> bool:
        """Whether they lose any that the reads show."""
        return self.rate > SURE * self.error


def retention(rates: Sequence[Rate], base: Mapping[str, float]) -> list[ParameterEstimate]:
    """Return retention_energy and retention_time from rates at two temperatures and more; nothing where none is seen.

    Where the rates leave the energy open, as those at one temperature, the time is that at the temperature of the rate that
    is known best, which becomes the preset's `retention_temperature`: how it is elsewhere, nothing tells.
    """
    if not any(one.seen for one in rates):
        return []
    x = np.array([1.0 / one.temperature - 1.0 / base["retention_temperature"] for one in rates]) / BOLTZMANN
    rate = np.array([one.rate for one in rates])
    error = np.hypot([one.error for one in rates], COMMON * rate)
    energies = np.linspace(0.0, LARGEST * base["retention_energy"], NODES)
    misfit, log, half = _profiles(energies, x, rate, error)
    near = misfit <= misfit.min() + DEVIATES**2
    if np.ptp(x) * BOLTZMANN < APART or near[0] or near[-1]:
        best = int((rate / error).argmax())
        here = np.abs(x - x[best]) * BOLTZMANN < APART
        _, log, half = _profiles(np.zeros(1), x[here], rate[here], error[here])
        time = _time(log[0], log[0] - DEVIATES * half[0], log[0] + DEVIATES * half[0])
        return [replace(time, beside={"retention_temperature": rates[best].temperature})]
    best = int(misfit.argmin())
    left = np.sqrt(DEVIATES**2 - (misfit[near] - misfit[best])) * half[near]
    value, least, most = (float(one) for one in (energies[best], *energies[near][[0, -1]]))
    time = _time(log[best], (log[near] - left).min(), (log[near] + left).max())
    return [ParameterEstimate("retention_energy", value, least, most), time]


def _profiles(energies: Floats, x: Floats, rate: Floats, error: Floats) -> tuple[Floats, Floats, Floats]:
    """Return for each energy the misfit (chi squared) of the best retention time, ln of it (s), and its deviation."""
    factor = -energies[:, None] * x
    largest = factor.max(axis=1)
    shape = np.exp(factor - largest[:, None]) / error
    square, along = (shape**2).sum(axis=1), (shape * rate / error).sum(axis=1)
    level = np.maximum(along / square, 1e-300)  # the largest rate
    misfit = ((rate / error) ** 2).sum() - 2.0 * level * along + level**2 * square
    return misfit, largest - np.log(level), 1.0 / (level * np.sqrt(square))


def _time(log: float, low: float, high: float) -> ParameterEstimate:
    return ParameterEstimate("retention_time", math.exp(log), math.exp(low), math.exp(high))


FORMING_WIDTH = 1e-6  # s, of forming_voltage
DEVIATES = 1.959964
BEYOND = 3.5  # deviations above the mean: a cell that did not form there is lost


def brackets(forming: Sequences, base: Mapping[str, float]) -> tuple[Floats, Floats]:
    """Return the voltages (cells,) above which and up to which each cell formed, V; infinite where nothing bounds them."""
    cost = base["forming_decade"] * np.log10(FORMING_WIDTH / forming.width)
    cost = cost + base["forming_gate_loss"] * np.maximum(base["forming_gate"] - forming.gate, 0.0)
    arriving = forming.voltage - cost
    formed = forming.live & (forming.after >= formed_above(base))
    failed = forming.live & ~formed
    low = np.where(failed, arriving, -np.inf).max(axis=0, initial=-np.inf)
    high = np.where(formed, arriving, np.inf).min(axis=0, initial=np.inf)
    return low, np.maximum(high, low + 1e-3)


def forming_voltages(low: Floats, high: Floats) -> tuple[list[ParameterEstimate], NDArray[np.bool_]]:
    """Return forming_voltage and forming_spread, and which cells are lost; nothing where the brackets do not bound them."""
    lost = np.zeros(len(low), bool)
    fit: tuple[Floats, Floats] | None = None
    for _ in range(3):
        fit = censored_normal(low[~lost], high[~lost])
        if fit is None:
            return [], np.zeros(len(low), bool)
        (mean, log_sd), _ = fit
        beyond = ~np.isfinite(high) & (low > mean + BEYOND * math.exp(log_sd))
        if (beyond == lost).all():
            break
        lost = beyond
    assert fit is not None  # the loop runs
    (mean, log_sd), (mean_error, sd_error) = fit
    sd, least, most = (math.exp(log_sd + side * DEVIATES * sd_error) for side in (0.0, -1.0, 1.0))
    middle, half = float(mean), float(DEVIATES * mean_error)
    voltage = ParameterEstimate("forming_voltage", middle, middle - half, middle + half)
    return [voltage, ParameterEstimate("forming_spread", sd, least, most)], lost


SURE = 2.5  # standard errors of wear above 0 from which it counts as seen


def endurance(
    cycles: Floats, conductance: Floats, voltages: Sequence[float], swing: float, base: Mapping[str, float]
) -> list[ParameterEstimate]:
    """Return the endurance; nothing where fewer than five cells were cycled, or none of them has worn.

    `cycles` (reads,) were done at each read of `conductance` (reads, cells), S, in LRS; NaN where a cell was not read.
    `voltages` are of SET and RESET, V; `swing` is LRS less HRS, S.
    """
    fresh = cycles <= max(10.0 * float(cycles[0]), 10.0)
    with np.errstate(invalid="ignore"):
        first = np.nanmean(np.where(fresh[:, None], conductance, np.nan), axis=0)
        worn = first / conductance - 1.0  # wear_top w
    known = np.isfinite(worn)
    cells = known.sum(axis=0) > fresh.sum()
    n = np.where(known, cycles[:, None], 0.0)[:, cells]
    slope = (n * np.where(known, worn, 0.0)[:, cells]).sum(axis=0) / np.maximum((n * n).sum(axis=0), 1e-300)
    if len(slope) < FEWEST:
        return []
    middle, error = float(slope.mean()), float(slope.std(ddof=1)) / math.sqrt(len(slope))
    half = reach(len(slope)) * error
    if not middle > max(SURE * error, half) or not base["wear_top"]:
        return []
    each = base["wear_idle"] + 0.5 * swing / base["maximum"]
    stress = each * sum(
        math.exp((volts - base["wear_voltage"]) / base["wear_acceleration"]) for volts in voltages
    )
    value, low, high = (base["wear_top"] * stress / one for one in (middle, middle + half, middle - half))
    return [ParameterEstimate("endurance", value, low, high)]


Base = Mapping[str, float]
Rates = list[tuple[str, Rate]]  # by the name of a run file
Estimates = tuple[list[ParameterEstimate], str]  # what a run tells, or why it tells nothing
LINE_FREQUENCY = 50.0  # Hz
SHARES = ("stuck_on", "stuck_off", "rtn_share")
LEAST_READS = 4
FEW_READS = "fewer than five formed cells, or fewer than four reads of them"


@dataclass(frozen=True)
class GatheredEvidence:
    """What run files tell beyond pulses."""

    estimates: tuple[ParameterEstimate, ...]  # at most one a parameter
    nothing: Mapping[str, str]  # run files that tell nothing, here or by pulses, and why
    remarks: tuple[str, ...]


def told_beyond_pulses(
    paths: Sequence[str | os.PathLike[str]], data: Transitions, base: Base,
    beside: Sequence[str | os.PathLike[str]] = (),
) -> GatheredEvidence:  # fmt: skip
    """Return the parameters that run files of one chip tell beyond those of pulses, which are in `data`.

    Of the runs `beside` only the last pulses are used, and reads that no pulse followed soon: of cells that others read
    later.
    """
    estimates: list[ParameterEstimate] = []
    nothing: dict[str, str] = {}
    rates: Rates = []
    earlier = EarlierRuns([*paths, *beside], [*READERS])
    for path in paths:
        with RunFile(path) as run:
            reader = READERS.get(run.procedure)
            before = earlier.before(run)
            try:
                here, why = reader(run, base, rates, before) if reader else ([], "")
            except (KeyError, RunFileError):
                here, why = [], f"its tables are not those of a {run.procedure} run of this version"
            source = Path(path).name
            estimates += [replace(one, source=source) for one in here]
            if why and not here:
                nothing[source] = why
    retentions = retention([rate for _, rate in rates], base)
    names = ", ".join(dict.fromkeys(name for name, _ in rates))
    estimates += [replace(one, source=names) for one in retentions]
    if retentions:
        nothing = {name: why for name, why in nothing.items() if name not in {one for one, _ in rates}}
    formed, lost = (
        forming_voltages(*brackets(data.forming, base)) if data.forming.cells else ([], np.zeros(0, bool))
    )
    stuck = stuck_cells(data.unmoved, int(lost.sum()))
    estimates += [*(replace(one, source="virgin cells") for one in formed)]
    estimates += [replace(one, source=f"{stuck.told} cells") for one in stuck.shares()]
    pooled = _pooled(estimates)
    known = [one for one in pooled if is_told(one, SHARES)]
    wide = [
        f"{one.name} lies between {one.low:.2g} and {one.high:.2g} ({one.source}): too wide to be taken; more cells would "
        "tell"
        for one in pooled
        if not is_told(one, SHARES)
    ]
    remarks = []
    if stuck.told and not (stuck.on and stuck.off):
        which = "in LRS or in HRS" if not (stuck.on or stuck.off) else "in HRS" if stuck.on else "in LRS"
        share = 100.0 * stuck.bound()
        remarks.append(f"none of {stuck.told} cells is stuck {which}: less than {share:.2g} % are, with 95 %")
    remarks += [
        f"{one.label} is a rate at that temperature alone: elsewhere it goes with the base's retention_energy "
        f"({base['retention_energy']:.3g} eV), which nothing here measured"
        for one in known
        if one.beside
    ]
    return GatheredEvidence(tuple(known), nothing, (*remarks, *wide))


def _pooled(estimates: Sequence[ParameterEstimate]) -> tuple[ParameterEstimate, ...]:
    """Return one estimate a parameter: of several runs the mean, weighted by the widths of their intervals."""
    by_name: dict[str, list[ParameterEstimate]] = {}
    for one in estimates:
        by_name.setdefault(one.name, []).append(one)
    pooled = []
    for name, some in by_name.items():
        if len(some) == 1:
            pooled.append(some[0])
            continue
        weights = np.array([max(one.high - one.low, 1e-30) ** -2.0 for one in some])
        value = float(np.average([one.value for one in some], weights=weights))
        half, source = 0.5 * float(weights.sum() ** -0.5), ", ".join(one.source for one in some)
        pooled.append(ParameterEstimate(name, value, value - half, value + half, source))
    return tuple(pooled)


def _noise(run: RunFile, base: Base, rates: Rates, before: Before) -> Estimates:
    cells, series = run.table("noise"), run.table("series")
    if not len(cells["row"]):
        return [], "no cell of it was formed"
    samples = int(run.parameters["samples"].value or 0)
    interval = float(np.median(np.diff(series["time"][:samples])))
    order = np.lexsort((series["time"], series["number"], series["column"], series["row"]))
    reads = np.asarray(series["conductance"], dtype=float)[order].reshape(-1, samples)
    places = np.stack([series[name][order][::samples] for name in ("row", "column")], axis=1)
    known = [
        np.flatnonzero((places == [row, column]).all(axis=1))
        for row, column in zip(cells["row"], cells["column"], strict=True)
    ]
    count = min(len(one) for one in known)
    series_of = np.array([reads[one[:count]] for one in known])
    squares = series_of.mean(axis=2) ** 2
    variances, steps = series_of.var(axis=2) / squares, 0.5 * (np.diff(series_of) ** 2).mean(axis=2) / squares
    result = noise_levels(variances, cells, interval, samples, _aperture(run, interval), base, steps)
    why = "the noise of its cells does not stand out of the meter's"
    if len(cells["row"]) < FEWEST:
        why = f"{len(cells['row'])} cells are too few; five series of quiet cells are the least"
    return result, "" if result else why


def _aperture(run: RunFile, interval: float) -> float:
    """Return for how long each read was averaged, s, as its bench file says; at most from read to read."""
    read = load_toml(run.bench, "the bench file", RunFileError).get("read", {}) if run.bench.strip() else {}
    nplc = read.get("nplc") if isinstance(read, dict) else None
    return min(nplc / LINE_FREQUENCY, interval) if isinstance(nplc, int | float) else interval


def _retention(run: RunFile, base: Base, rates: Rates, before: Before) -> Estimates:
    table = run.table("reads")
    age = float(run.parameters["age"].value or 0.0)
    last = int(table["repeat"].max()) + 1 if len(table["repeat"]) else 0
    place = np.stack([table["row"], table["column"]], axis=1)
    cells, cell = np.unique(place, axis=0, return_inverse=True)
    shape = last, len(cells)
    reads, times = np.full(shape, np.nan), np.full(shape, np.nan)
    reads[table["repeat"], cell.ravel()] = table["conductance"]
    times[table["repeat"], cell.ravel()] = table["time"]
    whole = np.isfinite(reads).all(axis=1)
    good = (reads[whole][0] > base["relaxation_full"]) if whole.any() else np.zeros(0, bool)
    good &= np.array([tuple(cell) not in before.still for cell in cells.tolist()], bool)
    begun = np.array([before.written.get((row, column), np.nan) for row, column in cells.tolist()])
    if (dated := good & np.isfinite(begun)).sum() >= FEWEST:
        good = dated  # others were in their windows when the rest was programmed: their pulses are older
    if good.sum() < FEWEST or whole.sum() < LEAST_READS:
        return [], FEW_READS
    reads, times, begun = reads[whole][:, good], times[whole][:, good], begun[good]
    known = bool(np.isfinite(begun).all() and (begun < times[0]).all())
    ages = times - begun if known else times - times[0] + age
    aperture = _aperture(run, float(np.diff(np.unique(times)).min()))
    elapsed = np.median(times - times[0], axis=1)
    # Which cells write-verify left is known from its reads only: without them relaxation is not told.
    followed = known and before.pulsed is not None
    if known and before.pulsed is not None:
        groups = _since_the_pulse(cells[good], before.pulsed, begun, ages, reads, elapsed)
    else:
        groups = [AgeingReads(ages, reads, elapsed)]
    fit = ageing(groups, base, aperture)
    if fit is None:
        return [], FEW_READS
    baked = False
    if kelvin := kelvin_of(run.summary):
        rate = Rate(kelvin, float(fit.mean[RATE]), float(fit.error[RATE]))
        rates.append((run.path.name, rate))
        baked = rate.seen
    if base["relaxation_jumps"]:
        return [], "its cells relax in jumps, whose sizes it does not tell"
    if not (known or age > 0.0):
        return [], (
            "it does not say when its cells were programmed, without which relaxation and drift are not told; name the "
            "program run that it went on from, too, or for the drift alone read with --age, the time since programming"
        )
    result = [one for one in fit.estimates() if followed or one.name != "relaxation"]
    why = "its cells changed too little to tell their relaxation, or they are too few"
    return result, "" if result or baked else why


def _since_the_pulse(
    cells: NDArray[np.int64], pulsed: Undisturbed, begun: Floats, ages: Floats, reads: Floats, elapsed: Floats
) -> list[AgeingReads]:
    """Return the reads with those before that followed the pulse, and those of cells that were then pulsed anew."""
    moments, values = pulsed.of(cells)
    count = np.isfinite(values).sum(axis=0)
    groups = [AgeingReads(*pulsed.anew(), np.zeros(2))]
    for more in range(len(values) + 1):
        some = count == more
        whole = [
            np.concatenate([first[:more, some], later[:, some]])
            for first, later in ((moments - begun, ages), (values, reads))
        ]
        groups.append(AgeingReads(whole[0], whole[1], np.concatenate([np.zeros(more), elapsed])))
    return groups


def kelvin_of(summary: Mapping[str, object]) -> float | None:
    """Return the chip's temperature (K): as a chuck read it, else as demanded; None where nothing tells."""
    for name in ("temperature_read", "temperature"):
        kelvin = summary.get(name)
        if isinstance(kelvin, int | float) and kelvin > 0.0:
            return float(kelvin)
    return None


def _endurance(run: RunFile, base: Base, rates: Rates, before: Before) -> Estimates:
    table = run.table("endurance")
    place = np.stack([table["row"], table["column"]], axis=1)
    _, cell = np.unique(place, axis=0, return_inverse=True)
    cycles, number = np.unique(table["cycles"], return_inverse=True)
    states = np.full((2, len(cycles), int(cell.max()) + 1 if len(cell) else 0), np.nan)
    states[table["state"], number.ravel(), cell.ravel()] = table["conductance"]
    parameters = run.parameters
    volts = [float(parameters[f"{name}_voltage"].value or 0.0) for name in ("set", "reset")]
    swing = float(np.nanmedian(states[0]) - np.nanmedian(states[1])) if states.size else 0.0
    result = endurance(np.asarray(cycles, dtype=float), states[0], volts, swing, base)
    why = "its windows have not worn, or fewer than five cells were cycled; cycle longer"
    return result, "" if result else why


Reader = Callable[[RunFile, Base, Rates, Before], Estimates]
READERS: Mapping[str, Reader] = {"Noise": _noise, "Retention": _retention, "Endurance": _endurance}
"""Of the procedures whose runs tell more than their pulses."""
