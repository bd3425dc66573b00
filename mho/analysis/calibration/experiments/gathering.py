"""What run files tell beyond pulses: each procedure's tables, brought to the functions of this room."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mho.analysis.calibration.experiments.ageing import RATE, Watched, ageing
from mho.analysis.calibration.experiments.bakes import Rate, retention
from mho.analysis.calibration.experiments.estimates import FEWEST, Estimate, is_told
from mho.analysis.calibration.experiments.forming_voltages import brackets, forming_voltages
from mho.analysis.calibration.experiments.noise_levels import noise_levels
from mho.analysis.calibration.experiments.programming_times import Before, EarlierRuns, Undisturbed
from mho.analysis.calibration.experiments.stuck_cells import stuck_cells
from mho.analysis.calibration.experiments.wear import endurance
from mho.analysis.calibration.transitions import Transitions
from mho.errors import RunFileError
from mho.runs import RunFile
from mho.toml import load_toml

Floats = NDArray[np.float64]
Base = Mapping[str, float]

LINE_FREQUENCY = 50.0  # Hz
SHARES = ("stuck_on", "stuck_off", "rtn_share")
LEAST_READS = 4
FEW_READS = "fewer than five formed cells, or fewer than four reads of them"


@dataclass(frozen=True)
class Told:
    """What run files tell beyond pulses.

    Attributes
    ----------
    estimates : tuple of Estimate
        At most one a parameter.
    nothing : mapping
        Run files that tell nothing, here or by pulses, and why.
    remarks : tuple of str
    """

    estimates: tuple[Estimate, ...]
    nothing: Mapping[str, str]
    remarks: tuple[str, ...]


def told_beyond_pulses(
    paths: Sequence[str | os.PathLike[str]],
    data: Transitions,
    base: Base,
    beside: Sequence[str | os.PathLike[str]] = (),
) -> Told:
    """Return the parameters that run files tell beyond those of pulses.

    Parameters
    ----------
    paths : sequence of path
        Run files of one chip.
    data : Transitions
        What the pulses of those that have some did.
    base : mapping
        The base preset.
    beside : sequence of path
        Runs of which only the last pulses are used, and reads that no pulse followed soon: of cells that others read later.
    """
    found: list[Estimate] = []
    nothing: dict[str, str] = {}
    rates: list[tuple[str, Rate]] = []
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
            found += [replace(one, source=source) for one in here]
            if why and not here:
                nothing[source] = why
    kept = retention([rate for _, rate in rates], base)
    names = ", ".join(dict.fromkeys(name for name, _ in rates))
    found += [replace(one, source=names) for one in kept]
    if kept:
        nothing = {name: why for name, why in nothing.items() if name not in {one for one, _ in rates}}
    formed, lost = (
        forming_voltages(*brackets(data.forming, base)) if data.forming.cells else ([], np.zeros(0, bool))
    )
    stuck = stuck_cells(data.unmoved, int(lost.sum()))
    found += [*(replace(one, source="virgin cells") for one in formed)]
    found += [replace(one, source=f"{stuck.told} cells") for one in stuck.shares()]
    known, wide = [], []
    for one in _pooled(found):
        if is_told(one, SHARES):
            known.append(one)
        else:
            wide.append(
                f"{one.name} lies between {one.low:.2g} and {one.high:.2g} ({one.source}): too wide to be taken; more "
                "cells would tell"
            )
    remarks = _remarks(stuck.told, stuck.bound(), stuck.on, stuck.off)
    remarks += [
        f"{one.label} is a rate at that temperature alone: elsewhere it goes with the base's retention_energy "
        f"({base['retention_energy']:.3g} eV), which nothing here measured"
        for one in known
        if one.beside
    ]
    return Told(tuple(known), nothing, (*remarks, *wide))


def _remarks(cells: int, bound: float, on: int, off: int) -> list[str]:
    if not cells or (on and off):
        return []
    which = "in LRS or in HRS" if not (on or off) else "in HRS" if on else "in LRS"
    return [f"none of {cells} cells is stuck {which}: less than {100.0 * bound:.2g} % are, with 95 %"]


def _pooled(found: Sequence[Estimate]) -> tuple[Estimate, ...]:
    """Return one estimate a parameter: of several runs the mean, weighted by the widths of their intervals."""
    by_name: dict[str, list[Estimate]] = {}
    for one in found:
        by_name.setdefault(one.name, []).append(one)
    pooled = []
    for name, some in by_name.items():
        if len(some) == 1:
            pooled.append(some[0])
            continue
        weights = np.array([max(one.high - one.low, 1e-30) ** -2.0 for one in some])
        value = float(np.average([one.value for one in some], weights=weights))
        half = 0.5 * float(weights.sum() ** -0.5)
        pooled.append(
            Estimate(name, value, value - half, value + half, ", ".join(one.source for one in some))
        )
    return tuple(pooled)


def _noise(
    run: RunFile, base: Base, rates: list[tuple[str, Rate]], before: Before
) -> tuple[list[Estimate], str]:
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
    found = noise_levels(variances, cells, interval, samples, _aperture(run, interval), base, steps)
    few = len(cells["row"]) < FEWEST
    why = (
        f"{len(cells['row'])} cells are too few; five series of quiet cells are the least"
        if few
        else "the noise of its cells does not stand out of the meter's"
    )
    return found, "" if found else why


def _aperture(run: RunFile, interval: float) -> float:
    """Return for how long each read was averaged, s, as its bench file says; at most from read to read."""
    read = load_toml(run.bench, "the bench file", RunFileError).get("read", {}) if run.bench.strip() else {}
    nplc = read.get("nplc") if isinstance(read, dict) else None
    return min(nplc / LINE_FREQUENCY, interval) if isinstance(nplc, int | float) else interval


def _retention(
    run: RunFile, base: Base, rates: list[tuple[str, Rate]], before: Before
) -> tuple[list[Estimate], str]:
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
        groups = [Watched(ages, reads, elapsed)]
    told = ageing(groups, base, aperture)
    if told is None:
        return [], FEW_READS
    rate = (
        Rate(kelvin, float(told.mean[RATE]), float(told.error[RATE]))
        if (kelvin := kelvin_of(run.summary))
        else None
    )
    if rate is not None:
        rates.append((run.path.name, rate))
    if base["relaxation_jumps"]:
        return [], "its cells relax in jumps, whose sizes it does not tell"
    if not (known or age > 0.0):
        return [], (
            "it does not say when its cells were programmed, without which relaxation and drift are not told; name the "
            "program run that it went on from, too, or for the drift alone read with --age, the time since programming"
        )
    found = [one for one in told.estimates() if followed or one.name != "relaxation"]
    baked = rate is not None and rate.seen
    return (
        found,
        ""
        if found or baked
        else "its cells changed too little to tell their relaxation, or they are too few",
    )


def _since_the_pulse(
    cells: NDArray[np.int64], pulsed: Undisturbed, begun: Floats, ages: Floats, reads: Floats, elapsed: Floats
) -> list[Watched]:
    """Return the reads with those before that followed the pulse, and those of cells that were then pulsed anew."""
    moments, values = pulsed.of(cells)
    count = np.isfinite(values).sum(axis=0)
    groups = [Watched(*pulsed.anew(), np.zeros(2))]
    for more in range(len(values) + 1):
        some = count == more
        whole = [
            np.concatenate([first[:more, some], later[:, some]])
            for first, later in ((moments - begun, ages), (values, reads))
        ]
        groups.append(Watched(whole[0], whole[1], np.concatenate([np.zeros(more), elapsed])))
    return groups


def kelvin_of(summary: Mapping[str, object]) -> float | None:
    """Return the chip's temperature (K): as a chuck read it, else as demanded; None where nothing tells."""
    for name in ("temperature_read", "temperature"):
        kelvin = summary.get(name)
        if isinstance(kelvin, int | float) and kelvin > 0.0:
            return float(kelvin)
    return None


def _endurance(
    run: RunFile, base: Base, rates: list[tuple[str, Rate]], before: Before
) -> tuple[list[Estimate], str]:
    table = run.table("endurance")
    place = np.stack([table["row"], table["column"]], axis=1)
    _, cell = np.unique(place, axis=0, return_inverse=True)
    cycles, number = np.unique(table["cycles"], return_inverse=True)
    states = np.full((2, len(cycles), int(cell.max()) + 1 if len(cell) else 0), np.nan)
    states[table["state"], number.ravel(), cell.ravel()] = table["conductance"]
    parameters = run.parameters
    volts = [float(parameters[f"{name}_voltage"].value or 0.0) for name in ("set", "reset")]
    swing = float(np.nanmedian(states[0]) - np.nanmedian(states[1])) if states.size else 0.0
    found = endurance(np.asarray(cycles, dtype=float), states[0], volts, swing, base)
    return (
        found,
        "" if found else "its windows have not worn, or fewer than five cells were cycled; cycle longer",
    )


Reader = Callable[[RunFile, Base, list[tuple[str, Rate]], Before], tuple[list[Estimate], str]]
READERS: Mapping[str, Reader] = {"Noise": _noise, "Retention": _retention, "Endurance": _endurance}
"""Of the procedures whose runs tell more than their pulses."""
