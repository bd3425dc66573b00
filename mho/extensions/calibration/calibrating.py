"""A cell preset from run files: parameters with intervals, what they have in common, and what the data cannot tell.

log      u = ln(value/base) / 0.5            what is above 0: e times more or less is two deviations
volts    u = (value - base) / 0.3 V          thresholds
logit    u = (logit(value) - logit(base))    shares
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.errors import ConvergenceError, InputError
from mho.extensions.calibration.advice import helping, what_helps
from mho.extensions.calibration.experiments import ParameterEstimate
from mho.extensions.calibration.likelihoods import gradual_reset, gradual_set, threshold_reset, threshold_set
from mho.extensions.calibration.likelihoods.pulse_model import PulseModel
from mho.extensions.calibration.posterior import Posterior, infer
from mho.extensions.calibration.residuals import Misfit, misfit
from mho.extensions.calibration.transitions import Transitions

WIDTH = {"log": 0.5, "volts": 0.3, "logit": 1.0}
"""Standard deviation of the prior, in units of ln, V, and ln of the odds."""

SMALLEST = 1e-12  # a base value of 0 has no logarithm


@dataclass(frozen=True)
class Coordinates:
    """Parameters by name, with their kind of coordinate and their values in the base preset."""

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    base: tuple[float, ...]

    @classmethod
    def about(cls, preset: Mapping[str, float], kinds: Mapping[str, str]) -> Coordinates:
        """Return the coordinates of the parameters in `kinds` about a preset's values."""
        return cls(tuple(kinds), tuple(kinds.values()), tuple(float(preset[name]) for name in kinds))

    def __len__(self) -> int:
        return len(self.names)

    def values(self, u: Floats) -> dict[str, Floats]:
        """Return the parameters' values at coordinates `u` (..., parameters), each of shape (...)."""
        u = np.asarray(u, dtype=float)
        return {
            name: _value(kind, base, WIDTH[kind] * u[..., k])
            for k, (name, kind, base) in enumerate(zip(self.names, self.kinds, self.base, strict=True))
        }

    def preset(self, u: Floats) -> dict[str, float]:
        """Return the parameters' values at one place (parameters,)."""
        return {name: float(value) for name, value in self.values(u).items()}

    def slopes(self, u: Floats) -> Floats:
        """Return the derivatives (parameters,) of the values by their coordinates, at one place."""
        values = zip(self.kinds, self.preset(u).values(), strict=True)
        by = [(kind, {"log": one, "logit": one * (1.0 - one), "volts": 1.0}[kind]) for kind, one in values]
        return np.array([WIDTH[kind] * slope for kind, slope in by])

    def places(self, names: Sequence[str]) -> list[int]:
        """Return the numbers of some parameters."""
        return [self.names.index(name) for name in names]


def _value(kind: str, base: float, change: Floats) -> Floats:
    match kind:
        case "log":
            return max(base, SMALLEST) * np.exp(change)
        case "logit":
            return 1.0 / (1.0 + np.exp(-_logit(base) - change))
        case _:
            return base + change


def _logit(share: float) -> float:
    share = min(max(share, 1e-6), 1.0 - 1e-6)
    return float(np.log(share / (1.0 - share)))


Progress = Callable[[str], None]

LEAST_CELLS, LEAST_PULSES = 8, 200
NORMAL_95 = 1.959964
TOLD = 0.7  # deviations of the prior: a parameter that is known no better is not told by the data
BEGINNING = 32  # cells with which the search begins, where there are many more
CLOSE = 4.0  # of the log-posterior of these: ends of searches that differ by less explain them as well
OTHER = 3.0  # squared deviations a parameter, from which they are not the same place
FIRST, WIDE = 16, 3.0  # cells with which it begins with wide spreads, and these in deviations of the prior
RESTARTS = 4  # of a search, at most
NEAR = 10.0  # of the log-posterior, below the best end: a rough search from another start may lead beyond it
GAIN = 0.5  # of the log-posterior: a restart that gains more says that the search had not ended
MEMORY = "cycle_memory"  # SETs and RESETs both tell of it
LARGE = 70e-6  # S: what cells of the gradual bases do not reach


@dataclass(frozen=True)
class Law:
    """How cells of a law are calibrated."""

    sets: type[PulseModel]  # model of the SETs
    resets: type[PulseModel]  # and of the RESETs
    of_sets: Mapping[str, str]  # the parameters that they tell about, and the kinds of their coordinates
    of_resets: Mapping[str, str]
    spreads: tuple[str, ...]  # spreads from pulse to pulse
    # Whether these are held wide when the search begins: what single pulses tell precisely leads it astray
    # far from the mode
    first_wide: bool = False


LAWS = {
    "threshold": Law(
        threshold_set.ThresholdSets, threshold_reset.ThresholdResets, threshold_set.FITTED, threshold_reset.FITTED,
        ("gate_cycle_spread", "set_cycle_spread", "reset_cycle_spread", "reset_drop_spread"),
    ),
    "gradual": Law(
        gradual_set.GradualSets, gradual_reset.GradualResets, gradual_set.FITTED, gradual_reset.FITTED,
        ("set_cycle_spread", "reset_cycle_spread", "floor_spread"), first_wide=True,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Part:
    """What one kind of pulse told: SETs or RESETs."""

    kind: str
    coordinates: Coordinates
    posterior: Posterior
    # Whether searches of a part of the cells ended at places apart that explain it about as well
    several: bool
    misfit: Misfit  # of its residuals


@dataclass(frozen=True)
class Calibration:
    """A preset that was fitted, and how well it is known."""

    base: str  # name of the packaged preset that it is about
    names: tuple[str, ...]
    # mean, low, high: (parameters,): values at the posterior's mode, and the ends of their 95 % intervals,
    # SI; NaN where the curvature is not clear
    mean: Floats
    low: Floats
    high: Floats
    deviation: Floats  # (parameters,): in units of the prior's
    correlation: Floats  # (parameters, parameters): in the space of `Coordinates`
    # Parameters that the data leave as the base has them, each with the experiment that would tell
    not_told: Mapping[str, str]
    remarks: tuple[str, ...]  # sentences on what is unusual
    transitions: Transitions
    parts: tuple[Part, ...]

    @property
    def values(self) -> dict[str, float]:
        """The fitted parameters' values, SI."""
        return dict(zip(self.names, self.mean.tolist(), strict=True))

    @property
    def told(self) -> NDArray[np.bool_]:
        """Which parameters the data tell."""
        return (self.deviation < TOLD) & np.isfinite(self.low)


def calibrate(
    data: Transitions, base: str, preset: Mapping[str, Any], progress: Progress | None = None
) -> Calibration:
    """Fit a preset to what pulses did to cells, about the one called `base`, whose parameters, SI, and `law` are given.

    `progress` is called with what is being done.

    Raises `InputError`: the law of the preset is not one that can be fitted, or there are too few cells or pulses;
    `ConvergenceError`: a search did not end at a maximum.
    """
    law = LAWS[preset["law"]]
    if not any(preset[name] > 0.0 for name in law.spreads):
        raise InputError(
            f"preset {base!r} has no spread from pulse to pulse, about which none can be sought; name another, such as "
            "--base pku"
        )
    cells = max(data.sets.cells, data.resets.cells)
    if cells < LEAST_CELLS or max(data.sets.count, data.resets.count) < LEAST_PULSES:
        counts = data.sets.count, data.resets.count, cells, data.forming.count
        raise InputError(what_helps(*counts, LEAST_PULSES, LEAST_CELLS))
    tell = progress or (lambda _: None)
    fixed = {name: float(value) for name, value in preset.items() if isinstance(value, int | float)}
    for sentence in _out_of_range(preset, data):  # before the search, which then takes long
        tell(sentence)
    wide = law.spreads if law.first_wide else ()

    def look(misfit: Misfit, *, ended: bool = True) -> str:
        sentence = _wrong_law(misfit, base, preset, data, ended)
        if sentence and ended:
            tell(sentence)
        return sentence

    parts: list[Part] = []
    if data.sets.count >= LEAST_PULSES:
        tell(f"{data.sets.count} SETs of {data.sets.cells} cells")
        about = Coordinates.about(fixed, _about(law.of_sets, preset))
        parts.append(_fit("SET", law.sets, data.sets, fixed, about, None, wide, look))
        fixed |= about.preset(parts[0].posterior.mean)
    if data.resets.count >= LEAST_PULSES:
        tell(f"{data.resets.count} RESETs of {data.resets.cells} cells")
        about = Coordinates.about({**fixed, MEMORY: float(preset[MEMORY])}, _about(law.of_resets, preset))
        prior = None
        if parts and MEMORY in about.names:  # what SETs told of the memory that both have
            here, there = about.places([MEMORY])[0], parts[0].coordinates.places([MEMORY])[0]
            prior = np.zeros(len(about)), np.ones(len(about))
            prior[0][here] = parts[0].posterior.mean[there]
            prior[1][here] = parts[0].posterior.deviation[there]
        parts.append(_fit("RESET", law.resets, data.resets, fixed, about, prior, wide, look))
    return _joined(base, preset, data, parts)


def sought(preset: Mapping[str, Any]) -> dict[str, str]:
    """Return the parameters that are sought about a preset, and the kinds of their coordinates."""
    law = LAWS[preset["law"]]
    return _about({**law.of_sets, **law.of_resets}, preset)


def _about(fitted: Mapping[str, str], preset: Mapping[str, Any]) -> dict[str, str]:
    """Leave out what a preset has not: nothing is a factor of e from 0."""
    return {name: kind for name, kind in fitted.items() if kind != "log" or preset[name] > 0.0}


def _fit(
    kind: str, model: type[PulseModel], pulses: Any, fixed: Mapping[str, float], about: Coordinates,
    prior: tuple[Floats, Floats] | None, first_wide: Sequence[str], look: Callable[..., str],
) -> Part:  # fmt: skip
    """Infer what one kind of pulse tells; a part of the cells leads near to where all of them do.

    `look` says whether residuals are those of another law: a search that takes long does so before it begins, and one that
    ends nowhere instead of anything else.
    """

    def residuals(u: Floats) -> Misfit:
        return misfit(kind, model, pulses, fixed, about.preset(u))

    starts, apart = _beginnings(model, pulses, fixed, about, prior, first_wide)
    few = pulses.cells <= 2 * BEGINNING
    early = None if few else residuals(starts[0][0])
    if early is not None:
        look(early)
    ends: list[Posterior] = []
    for start, value in starts:
        there = [end for end in ends if end.converged]
        # of a part of the cells no value is known: the best start there is the best
        if any(value < end.log_posterior - NEAR or not _elsewhere(start, end) for end in there):
            continue
        ends.append(_settled(lambda: model(pulses, fixed), about, start, prior))
    result = max(ends, key=lambda end: (end.converged, end.log_posterior))
    if not result.converged:
        raise ConvergenceError(look(residuals(result.mean), ended=False))
    # What fits near the maximum fits there: looking again takes a twentieth of the search's time.
    last = residuals(result.mean) if early is None or early.wrong else early
    return Part(kind, about, result, apart, last)


def _settled(
    model: Callable[[], PulseModel], about: Coordinates, start: Floats, prior: tuple[Floats, Floats] | None
) -> Posterior:
    """Return the posterior of a search from `start` that another one, begun where it ended, confirms.

    What a search integrates over was placed along its way, and may hide how much is to be gained: each restart has it
    placed anew, as long as it gains, ends at no maximum, or has no clear curvature.
    """
    result = _inferred(model(), about, start, prior)
    for _ in range(RESTARTS):
        more = _inferred(model(), about, result.mean, prior)
        gain = more.log_posterior - result.log_posterior
        if (more.converged, not more.repaired, gain) >= (result.converged, not result.repaired, 0.0):
            result = more
        if result.converged and not result.repaired and gain < GAIN:
            break
    return result


def _beginnings(
    model: type[PulseModel], pulses: Any, fixed: Mapping[str, float], about: Coordinates,
    prior: tuple[Floats, Floats] | None, first_wide: Sequence[str],
) -> tuple[list[tuple[Floats, float]], bool]:  # fmt: skip
    """Return where to begin, the best first, each with its log-posterior, and whether a part of the cells leaves it open.

    The searches of all cells, or of a part where there are many, begin at the base and at what `STARTS` of the law has.
    Where only a part has told, the best is the only one that counts: the log-posteriors are -inf.
    """
    mean = np.zeros(len(about)) if prior is None else prior[0]
    starts = []
    for changes in ({}, *model.STARTS):
        start = mean.copy()
        for name, deviations in changes.items():
            start[about.places([name])[0]] += deviations
        starts.append(start)
    wide = about.places([name for name in first_wide if name in about.names])
    if wide:
        few = pulses.of(_some(pulses.cells, FIRST))
        starts = [_begun(lambda: model(few, fixed), about, start, wide) for start in starts]
    if pulses.cells <= 2 * BEGINNING and len(starts) == 1:
        return [(starts[0], -np.inf)], False
    some = pulses if pulses.cells <= 2 * BEGINNING else pulses.of(_some(pulses.cells, BEGINNING))
    ends = [_inferred(model(some, fixed), about, start, prior, rough=True) for start in starts]
    values = [end.log_posterior for end in ends]
    order = np.argsort(values)[::-1]
    if some is pulses:
        return [(ends[k].mean, values[k]) for k in order], False
    best = ends[order[0]]
    apart = [values[order[0]] - values[k] < CLOSE and _elsewhere(ends[k].mean, best) for k in order[1:]]
    return [(ends[k].mean, -np.inf) for k in order], any(apart)


def _elsewhere(place: Floats, end: Posterior) -> bool:
    """Return whether a place is another one than that where a search ended."""
    apart = place - end.mean
    return float(apart @ np.linalg.solve(end.covariance, apart)) > OTHER * len(place)


def _some(cells: int, count: int) -> NDArray[np.int64]:
    """Return the numbers of `count` cells, or of all where there are fewer."""
    return np.unique(np.linspace(0, cells - 1, min(count, cells)).astype(np.int64))


def _begun(model: Callable[[], PulseModel], about: Coordinates, start: Floats, wide: Sequence[int]) -> Floats:
    """Return where the search arrives with spreads that begin wide, then with these as they are found to be."""
    mean, width = np.zeros(len(about)), np.ones(len(about))
    mean[wide], width[wide] = WIDE, 0.05
    beginning = _inferred(model(), about, np.where(mean > 0.0, mean, start), (mean, width), rough=True).mean
    beginning[wide] = start[wide]
    return _inferred(model(), about, beginning, None, rough=True).mean


def _inferred(
    model: PulseModel, about: Coordinates, start: Floats, prior: tuple[Floats, Floats] | None, *,
    rough: bool = False,
) -> Posterior:  # fmt: skip
    def scores(u: Floats) -> tuple[Floats, Floats]:
        cells, by_value = model.scores(about.preset(u))
        return cells, by_value * about.slopes(u)

    return infer(
        lambda u: model.log_likelihood(about.preset(u)), scores, start, lambda u: model.recentre(about.preset(u)), prior,
        rough=rough,
    )  # fmt: skip


def _joined(base: str, preset: Mapping[str, Any], data: Transitions, parts: Sequence[Part]) -> Calibration:
    """Put together what SETs and RESETs told; of a parameter of both the last has it all."""
    from scipy.linalg import block_diag  # loads slowly

    names: list[str] = []
    values: list[list[float]] = []
    blocks: list[Floats] = []
    for number, part in enumerate(parts):
        later = {name for other in parts[number + 1 :] for name in other.coordinates.names}
        remaining = [name for name in part.coordinates.names if name not in later]
        places = part.coordinates.places(remaining)
        mean, deviation = part.posterior.mean, part.posterior.deviation
        ends = [part.coordinates.preset(mean + side * NORMAL_95 * deviation) for side in (0.0, -1.0, 1.0)]
        for name, place in zip(remaining, places, strict=True):
            middle, *interval = (end[name] for end in ends)
            if part.posterior.repaired:
                interval = [np.nan, np.nan]
            values.append([middle, *interval, float(deviation[place])])
        names += remaining
        blocks.append(part.posterior.correlation[np.ix_(places, places)])
    mean, low, high, deviation = np.array(values).T
    is_known = (deviation < TOLD) & np.isfinite(low)
    known = {name for name, one in zip(names, is_known, strict=True) if one}
    return Calibration(
        base, tuple(names), mean, low, high, deviation, block_diag(*blocks), helping(known, str(preset["law"])),
        tuple(_remarks(base, preset, data, parts)), data, tuple(parts),
    )  # fmt: skip


def _remarks(base: str, preset: Mapping[str, Any], data: Transitions, parts: Sequence[Part]) -> list[str]:
    remarks = []
    for kind, pulses in (("SET", data.sets), ("RESET", data.resets)):
        if pulses.count < LEAST_PULSES:
            remarks.append(f"{pulses.count} {kind}s are too few: their parameters stay as in the base")
    for part in parts:
        wrong = _wrong_law(part.misfit, base, preset, data)
        if wrong:
            remarks.append(wrong)
        if part.posterior.repaired:
            remarks.append(
                f"the maximum over the parameters of {part.kind}s is flat or rough in some direction, however often the "
                "search begins anew: they have no intervals; more cells, or pulses of more voltages, would tell"
            )
        if part.several:
            remarks.append(
                f"searches over the parameters of {part.kind}s from several starts ended apart on a part of the cells, "
                "with about the same likelihood; the best of all cells is taken, but another set of values may do as well"
            )
    unmoved = data.unmoved
    if unmoved.stuck.any():
        remarks.append(
            f"of {data.cells} cells {unmoved.stuck_on} held still in LRS and {unmoved.stuck_off} in HRS under pulses that "
            "move others; they are left out"
        )
    remarks += _out_of_range(preset, data)
    return remarks


def _wrong_law(
    misfit: Misfit, base: str, preset: Mapping[str, Any], data: Transitions, ended: bool = True
) -> str:
    """Return the sentence on pulses that the law of the base does not describe; nothing if it does.

    Where a search has not `ended` at a maximum, less misfit says it, and without any it is said what else may help.
    """
    if ended and not misfit.wrong:
        return ""
    pulses = data.sets if misfit.kind == "SET" else data.resets
    high = float(np.quantile(pulses.before[pulses.live], 0.99)) > LARGE
    other = "pku" if preset["law"] == "threshold" else "stanford" if high else "stanford35"
    advice = f"try --base {other}, of the {'gradual' if preset['law'] == 'threshold' else 'threshold'} law"
    if not misfit.unexpected:
        return (
            f"the search over the parameters of {misfit.kind}s did not end at a maximum, and intervals about its end would "
            f"be wrong; if these cells do not follow the {preset['law']} law of the base {base}, {advice}, else take "
            "pulses of more voltages"
        )
    expected = f"misfit {misfit.value:.0f}, where {misfit.low:.0f} to {misfit.high:.0f} is expected"
    if np.isnan(misfit.value):
        expected = "the search led beyond all numbers"
    return (
        f"the {misfit.kind}s do not fit the {preset['law']} law about the base {base}: what they did beyond it goes with "
        f"their voltages, widths and the conductance before ({expected}), and intervals would mean little; {advice}"
    )


def _out_of_range(preset: Mapping[str, Any], data: Transitions) -> list[str]:
    """Return a sentence where the cells conduct far more or less than those of the base."""
    if not data.sets.count:
        return []
    top = float(np.quantile(data.sets.after[data.sets.live], 0.99))
    if 0.4 < top / float(preset["maximum"]) < 2.5:
        return []
    return [
        f"the cells reach {1e6 * top:.3g} uS, the base {1e6 * float(preset['maximum']):.3g} uS: a base of that "
        "range would be a better beginning"
    ]


MOST_SAID = 2000


def as_preset_file(
    calibration: Calibration, name: str, runs: Sequence[str], beyond: Sequence[ParameterEstimate] = (),
    checks: str = "none", says: str = "",
) -> str:  # fmt: skip
    """Return a preset file called `name`, with all parameters that were sought, of run files with the names `runs`.

    Those that the data do not tell lie near the base's values, and are listed; so are those without an interval. Its
    `checks` ``passed``, ``failed`` or are ``none``, `says` has that in words.
    """
    names = [*calibration.names, *(one.name for one in beyond)]
    mean, low, high = (
        np.append(values, [getattr(one, end) for one in beyond])
        for end, values in (("value", calibration.mean), ("low", calibration.low), ("high", calibration.high))
    )
    correlation = np.eye(len(names))
    correlation[: len(calibration.names), : len(calibration.names)] = calibration.correlation

    def row(values: Floats) -> str:
        return f"[{', '.join(f'{value:.6g}' for value in values.tolist())}]"

    lines = [f"name = {json.dumps(name)}", f"base = {json.dumps(calibration.base)}", "", "[parameters]"]
    lines += [f"{parameter} = {value:.6g}" for parameter, value in zip(names, mean.tolist(), strict=True)]
    lines += [f"{beside} = {value:.6g}" for one in beyond for beside, value in one.beside.items()]
    sure = np.isfinite(low) & np.isfinite(high)
    without = [one for one, known in zip(names, sure.tolist(), strict=True) if not known]
    lines += ["", "[checks]", f"state = {json.dumps(checks)}", f"says = {json.dumps(says[:MOST_SAID])}"]
    lines += ["", "[posterior]", f"parameters = {json.dumps([one for one in names if one not in without])}"]
    mean, low, high, correlation = mean[sure], low[sure], high[sure], correlation[np.ix_(sure, sure)]
    for key, values in (("mean", mean), ("interval_low", low), ("interval_high", high)):
        lines.append(f"{key} = {row(values)}")
    lines.append("correlation = [")
    lines += [f"  {row(values)}," for values in correlation]
    not_told = [one for one in calibration.not_told if one not in names[len(calibration.names) :]]
    lines += ["]", f"runs = {json.dumps(list(runs))}", f"not_told = {json.dumps(not_told)}"]
    lines += [f"no_interval = {json.dumps(without)}"] if without else []
    return "\n".join(lines) + "\n"
