"""Which settings of a strategy are searched, between which bounds, and which are tried next.

Bounds are those of the settings' own fields and of a bench's limits. A point of the space is an array of numbers from 0
to 1, one a dimension. What a strategy does not read is no dimension, which is found by watching it at work; so a
strategy of one's own is searched like one of mho's.

Searches go through the unit cube for the least of a noisy function, a batch of points at a time. `Evolution` is a
differential evolution (Storn and Price, J. Global Optimization 11, 341 (1997)) about the best points so far. `Bayesian`
is the tree-structured Parzen estimator of optuna (Bergstra et al., NIPS 2011), an extra.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from annotated_types import Ge, Gt, Le, Lt
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from scipy.stats import qmc

from mho.array_types import Floats
from mho.chip_maps import WriteVerifySettings
from mho.errors import InputError, LimitError, needing
from mho.procedures import nearest

ELITE = 6  # points from which others are made
AROUND = 0.12  # deviation of the first points about the start
DIFFERENCE = 0.7  # of two points, added to a third
CROSSED = 0.7  # share of the dimensions that are taken from that
LEAST = 0.02  # deviation that is always added, so that a search does not die of alikeness


class SettingsSearch(Protocol):
    """What proposes points and is told what came of them."""

    def ask(self, count: int) -> list[Floats]:
        """Return points to try."""
        ...

    def tell(self, points: Sequence[Floats], values: Sequence[float]) -> None:
        """Take the values of the points that were asked for, in their order; less is better."""
        ...


class Evolution:
    """Half of a batch about the mean of the best points, half by differences of them.

    `start` (dimensions,): tried first.
    """

    def __init__(self, start: Floats, seed: int) -> None:
        self._start, self._rng = start, np.random.default_rng(seed)
        self._sobol = qmc.Sobol(len(start), seed=self._rng)
        self._points: list[Floats] = []
        self._values: list[float] = []

    def ask(self, count: int) -> list[Floats]:
        """Return points to try; the first of the first batch is the start."""
        if not self._points:
            wide = self._sobol.random_base2(int(np.ceil(np.log2(max(count, 2)))))
            near = self._start + AROUND * self._rng.standard_normal(wide.shape)
            mixed = np.where((np.arange(len(wide)) % 3 == 0)[:, None], wide, near)
            return [self._start, *np.clip(mixed, 0.0, 1.0)][:count]
        order = np.argsort(self._values, kind="stable")[:ELITE]
        elite = np.stack([self._points[number] for number in order])
        return [np.clip(self._made(elite, number % 2 == 0), 0.0, 1.0) for number in range(count)]

    def _made(self, elite: Floats, about: bool) -> Floats:
        """Return a point about the mean of the elite, or one made of differences within it."""
        rng, dimensions = self._rng, elite.shape[1]
        noise = LEAST * rng.standard_normal(dimensions)
        if about or len(elite) < 3:
            weights = 1.0 / (1.0 + np.arange(len(elite)))
            mean = weights @ elite / weights.sum()
            return np.asarray(mean + elite.std(axis=0) * rng.standard_normal(dimensions) + noise)
        base, one, other = elite[rng.integers(len(elite))], *elite[rng.permutation(len(elite))[:2]]
        crossed = rng.random(dimensions) < CROSSED
        return np.asarray(base + np.where(crossed, DIFFERENCE * (one - other), 0.0) + noise)

    def tell(self, points: Sequence[Floats], values: Sequence[float]) -> None:
        """Take the values of points; less is better."""
        self._points += points
        self._values += values


class Bayesian:
    """Optuna's multivariate tree-structured Parzen estimator.

    `start` (dimensions,): tried first. Raises `InputError`: where optuna is not installed.
    """

    def __init__(self, start: Floats, seed: int) -> None:
        with needing("the search `bayesian`", "optuna", otherwise=", or leave --search out"):
            import optuna
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._space = {
            f"x{number}": optuna.distributions.FloatDistribution(0.0, 1.0) for number in range(len(start))
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # optuna calls what is used here experimental
            sampler = optuna.samplers.TPESampler(
                seed=seed, multivariate=True, constant_liar=True, n_startup_trials=12
            )
        self._study = optuna.create_study(sampler=sampler)
        self._study.enqueue_trial({f"x{number}": float(one) for number, one in enumerate(start)})
        self._trials: list[Any] = []

    def ask(self, count: int) -> list[Floats]:
        """Return points to try; the first of the first batch is the start."""
        self._trials = [self._study.ask(self._space) for _ in range(count)]
        return [np.array([trial.params[name] for name in self._space]) for trial in self._trials]

    def tell(self, points: Sequence[Floats], values: Sequence[float]) -> None:
        """Take the values of the points that were asked for last; less is better."""
        for trial, value in zip(self._trials, values, strict=True):
            self._study.tell(trial, value)


SEARCHES: dict[str, Callable[[Floats, int], SettingsSearch]] = {"evolution": Evolution, "bayesian": Bayesian}


NEAR = 0.5  # V, by which a voltage is varied
SHIFT = 0.15  # V, by which the whole response is shifted
FACTOR = 6.0  # by which a step, a spread, a share or a count is varied
HALVES = 30  # of a bisection, and of pulling a point back

# Settings that are not searched unless they are named, and why
HELD = {
    "width": "what a pulse of another width does, the twin was not fitted to",
    "set_voltage": "the response was measured with it",
    "set_slope": "`coarse_share` does the same",
    "gate_range": "what the user takes for safe",
    "forming_gate": "what a stronger forming harms, the twin does not know",
    "forming_width": "what a stronger forming harms, the twin does not know",
    "formed_above": "it belongs to the cells",
    "verify_reads": "reads are averaged for the noise of a readout",
    "verify_delay": "it would cost time only",
}


@dataclass(frozen=True)
class Dimension:
    """One number of the settings that is searched."""

    name: str  # of the setting
    # Its place in a range of two, or None for a single number or for a table that is shifted as a whole
    index: int | None
    low: float
    high: float
    # logarithmic, whole, shifts: whether it is searched in logarithms; is a whole number; is added to a table
    logarithmic: bool = False
    whole: bool = False
    shifts: bool = False

    def value(self, place: float) -> float:
        """Return the value at a place from 0 to 1."""
        if self.logarithmic:
            return float(self.low * (self.high / self.low) ** place)
        return float(self.low + (self.high - self.low) * place)

    def place(self, value: float) -> float:
        """Return the place from 0 to 1 of a value, the nearest for one beyond the bounds."""
        value = min(max(value, self.low), self.high)
        if self.high == self.low:
            return 0.5
        if self.logarithmic:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


class SearchSpace:
    """Settings about some that are given.

    `about`: they must be allowed; `allowed`: whether a bench allows the pulses of settings.
    """

    def __init__(
        self,
        about: WriteVerifySettings,
        dimensions: Sequence[Dimension],
        allowed: Callable[[WriteVerifySettings], bool],
    ) -> None:
        self.about, self.dimensions, self._allowed = about, tuple(dimensions), allowed
        self.start = np.array([one.place(_present(about, one)) for one in dimensions])

    def settings(self, point: Floats) -> WriteVerifySettings:
        """Return the settings of a point.

        One whose settings are none, or whose pulses are beyond the bench's limits, is pulled half-way towards `start`
        until they are allowed.
        """
        towards = np.clip(point, 0.0, 1.0)
        for _ in range(HALVES):
            made = _changed(self.about, zip(self.dimensions, towards.tolist(), strict=True))
            if made is not None and self._allowed(made):
                return made
            towards = 0.5 * (towards + self.start)
        return self.about


def search_space(
    about: WriteVerifySettings,
    read: Iterable[str],
    check: Callable[[WriteVerifySettings], None],
    vary: Mapping[str, tuple[float, float] | None] | None = None,
) -> SearchSpace:
    """Return the space of the settings that a strategy reads.

    `about`: the middle of the space; `read`: names of the settings that the strategy reads; `check`: raises
    `LimitError` for settings whose pulses the bench does not allow; `vary`: names to vary instead, each with its bounds
    or None for the usual ones. Raises `InputError`: for a setting that is unknown, is no number, or has bounds that its
    field or the bench does not allow. Raises `LimitError`: when the settings given are themselves beyond the limits.
    """
    check(about)

    def allowed(settings: WriteVerifySettings) -> bool:
        try:
            check(settings)
        except LimitError:
            return False
        return True

    fields = type(about).model_fields
    if vary:
        for name in vary:
            if name not in fields:
                raise InputError(f"--vary: there is no setting {name!r}; {nearest(name, fields)}")
        names: list[str] = list(vary)
    else:
        names = [name for name in fields if name in set(read) and name not in HELD]
    candidates = []
    for name in names:
        given = (vary or {}).get(name)
        ones = list(_dimensions(name, fields[name], about, given))
        if vary and not ones:
            raise InputError(f"--vary: {name} cannot be searched; it is no number")
        candidates += [one if given else _within_limits(about, one, allowed) for one in ones]
    dimensions = [one for one in candidates if one.high > one.low]
    if not dimensions:
        raise InputError("the strategy reads no setting that could be searched; name some with --vary")
    return SearchSpace(about, dimensions, allowed)


def _dimensions(
    name: str, info: FieldInfo, about: WriteVerifySettings, given: tuple[float, float] | None
) -> Iterable[Dimension]:
    """Yield the dimensions of one setting about its value; none where it is no number."""
    value, extra = getattr(about, name), info.json_schema_extra
    volts = isinstance(extra, dict) and extra.get("unit") == "V"
    if isinstance(value, tuple):
        if name == "response_gates" and len(value):
            low, high = given or (-SHIFT, SHIFT)
            yield Dimension(name, None, low, high, shifts=True)
        elif len(value) == 2 and volts and not name.startswith("response"):
            for index, one in enumerate(value):
                low, high = given or (max(one - NEAR, 0.0), one + NEAR)
                yield Dimension(name, index, low, high)
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    lowest, highest, positive = _bounds(info)
    if given is not None:
        low, high = given
        if not lowest <= low < high <= highest or (positive and low <= 0.0):
            raise InputError(
                f"--vary {name}={low:g}..{high:g}: the bounds must ascend and lie within {lowest:g} and {highest:g}"
            )
    elif name == "ramp_start":
        # A chip map without a ramp of its own has that of another chip's cells.
        low, high = min(value, about.gate_range[0]), max(value, about.gate_range[1])
    elif volts and not positive:
        low, high = value - NEAR, value + NEAR
    else:
        low, high = value / FACTOR, value * FACTOR
    whole = isinstance(info.default, int)
    low, high = max(low, lowest), min(high, highest)
    if whole:
        low, high = max(math.ceil(low), 1), math.floor(high)
    yield Dimension(name, None, low, high, logarithmic=low > 0.0 and (positive or not volts), whole=whole)


def _bounds(info: FieldInfo) -> tuple[float, float, bool]:
    """Return the least and largest value of a field, and whether it must be more than 0."""
    low, high, positive = -math.inf, math.inf, False
    for rule in info.metadata:
        match rule:
            case Ge(ge=bound):
                low = float(bound)  # type: ignore[arg-type]
            case Gt(gt=bound):
                low, positive = float(bound), float(bound) >= 0.0  # type: ignore[arg-type]
            case Le(le=bound) | Lt(lt=bound):
                high = float(bound)  # type: ignore[arg-type]
    return low, high, positive or low > 0.0


def _within_limits(
    about: WriteVerifySettings, one: Dimension, allowed: Callable[[WriteVerifySettings], bool]
) -> Dimension:
    """Return a dimension whose ends the bench allows, the others being as given (bisection from the given value on)."""
    middle = one.place(_present(about, one))
    ends = []
    for end in (0.0, 1.0):
        inside, outside = middle, end
        if _possible(about, one, end, allowed):
            ends.append(one.value(end))
            continue
        for _ in range(HALVES):
            between = 0.5 * (inside + outside)
            inside, outside = (
                (between, outside) if _possible(about, one, between, allowed) else (inside, between)
            )
        ends.append(one.value(inside))
    return Dimension(one.name, one.index, ends[0], ends[1], one.logarithmic, one.whole, one.shifts)


def _possible(
    about: WriteVerifySettings, one: Dimension, place: float, allowed: Callable[[WriteVerifySettings], bool]
) -> bool:
    made = _changed(about, [(one, place)])
    return made is not None and allowed(made)


def _present(settings: WriteVerifySettings, one: Dimension) -> float:
    if one.shifts:
        return 0.0
    value = getattr(settings, one.name)
    return float(value if one.index is None else value[one.index])


def _changed(
    settings: WriteVerifySettings, places: Iterable[tuple[Dimension, float]]
) -> WriteVerifySettings | None:
    """Return the settings with dimensions at some places; None where there are no such settings."""
    values: dict[str, Any] = dict(settings)
    for one, place in places:
        value = one.value(place)
        if one.shifts:
            values[one.name] = tuple(
                max(round(volts + value, 4), 0.0) for volts in getattr(settings, one.name)
            )
        elif one.index is None:
            values[one.name] = round(value) if one.whole else _rounded(value)
        else:
            pair = list(values[one.name])
            pair[one.index] = _rounded(value)
            values[one.name] = tuple(pair)
    try:
        return type(settings)(**values)
    except ValidationError:
        return None


def _rounded(value: float) -> float:
    """Return a value as a user would write it: four digits, which a bench can tell apart."""
    return float(f"{value:.4g}")


def watched(settings: WriteVerifySettings, seen: set[str]) -> WriteVerifySettings:
    """Return the same settings, which add the name of each one that is read to `seen`."""
    kind = type(settings)

    class Watched(kind):  # type: ignore[misc, valid-type]
        def __getattribute__(self, name: str) -> Any:
            if name in kind.model_fields:
                seen.add(name)
            return super().__getattribute__(name)

    made = Watched(**dict(settings))
    seen.clear()
    return made
