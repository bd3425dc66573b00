"""Posterior predictive checks: measured numbers beside those of the same runs on chips drawn from a preset's posterior.

Of each number, the probability that the measured one is drawn as the others are: twice the smaller share of them all on
either side (Gelman, Meng and Stern, Statistica Sinica 6, 733 (1996)). Draws differ in parameters and in chips, so that a
number in the middle says no more than that these data do not contradict the preset.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from mho.analysis.calibration import formed_above
from mho.errors import MhoError
from mho.instruments.simulated import cell_preset
from mho.procedures import Form
from mho.running.calibrating.compared_numbers import (
    Part,
    Quantity,
    of_cycles,
    of_forming,
    of_programming,
    of_pulses,
)
from mho.running.calibrating.measured import MeasuredRun, measured_run
from mho.running.calibrating.replicas import repeat
from mho.running.optimising.posterior_draws import PosteriorDraws

Floats = NDArray[np.float64]
Progress = Callable[[int, int], None]

OUTSIDE = 0.05  # probability below which a number counts as outside
FEWEST_DRAWS = 40  # fewer cannot tell that a number is outside
MOST_DRAWS = 9999
KNOWN = 0.8  # share of the draws that have the number at all


@dataclass(frozen=True)
class Check:
    """One measured number beside the drawn ones.

    Attributes
    ----------
    run : str
    quantity : Quantity
    measured : float
    draws : (draws,) array
    held_out : bool
        Whether the preset was made without this run.
    """

    run: str
    quantity: Quantity
    measured: float
    draws: Floats
    held_out: bool = False

    @property
    def probability(self) -> float:
        """Two-sided, that the measured one is drawn as the others are."""
        above, below = (self.draws >= self.measured).sum(), (self.draws <= self.measured).sum()
        return float(min(2.0 * (1 + min(above, below)) / (1 + len(self.draws)), 1.0))

    @property
    def interval(self) -> tuple[float, float, float]:
        """Median of the drawn ones, and the ends of the interval that holds 95 % of them."""
        low, middle, high = np.quantile(self.draws, [0.025, 0.5, 0.975])
        return float(middle), float(low), float(high)

    @property
    def outside(self) -> bool:
        """Whether the measured one is hardly drawn."""
        return self.probability < OUTSIDE


CHANCE = 0.01  # with which a perfect twin has more numbers outside than one that passes


@dataclass(frozen=True)
class Checks:
    """All checks of a preset.

    Attributes
    ----------
    checks : tuple of Check
    draws : int
    not_repeated : mapping
        Runs that were not repeated, and why.
    """

    checks: tuple[Check, ...]
    draws: int
    not_repeated: Mapping[str, str] = field(default_factory=dict)

    @property
    def outside(self) -> tuple[Check, ...]:
        """Those of which the measured number is hardly drawn."""
        return tuple(one for one in self.checks if one.outside)

    @property
    def state(self) -> str:
        """``passed``, ``failed``: more numbers lie outside than chance has, or ``none``: there was nothing to check."""
        if not self.checks:
            return "none"
        from scipy.stats import binom  # loads slowly

        return (
            "passed" if len(self.outside) <= binom.ppf(1.0 - CHANCE, len(self.checks), OUTSIDE) else "failed"
        )

    @property
    def says(self) -> str:
        """What came of them, in few words."""
        if not self.checks:
            return (
                "; ".join(f"{name}: {why}" for name, why in self.not_repeated.items()) or "no run has pulses"
            )
        return f"{len(self.outside)} of {len(self.checks)} numbers lie outside what {self.draws} drawn chips show"


def check_runs(
    paths: Sequence[str | os.PathLike[str]],
    preset: str,
    draws: int,
    *,
    held_out: Sequence[str | os.PathLike[str]] = (),
    seed: int = 0,
    progress: Progress | None = None,
) -> Checks:
    """Repeat runs on chips drawn from a preset's posterior, and compare.

    Parameters
    ----------
    paths, held_out : sequences of path
        Runs that the preset was made from, and others; those without pulses are left out.
    preset : str
        A preset's name, file, or text.
    draws : int
        Chips, at least 40.
    seed : int
        Of all draws.
    progress : function, optional
        Called with chips done and all.

    Raises
    ------
    BenchError
        For a preset or a posterior that cannot be used.
    """
    posterior = PosteriorDraws(preset)
    least = formed_above(asdict(cell_preset(preset)))
    known: list[tuple[MeasuredRun, bool, Part, list[Floats]]] = []
    not_repeated: dict[str, str] = {}
    for path, held in [*((path, False) for path in paths), *((path, True) for path in held_out)]:
        run = measured_run(path)
        if run is None:
            continue
        if run.why_not:
            not_repeated[run.name] = run.why_not
        else:
            known.append((run, held, _part(run, least), []))
    for number in range(draws if known else 0):
        if progress:
            progress(number, draws)
        text = posterior.text(_seed(seed, number, 0))
        for place, (run, _, (_, values), found) in enumerate(known):
            if run.name in not_repeated:
                continue
            try:
                found.append(np.array(values(repeat(run, text, _seed(seed, number, place + 1)))))
            except MhoError as error:
                not_repeated[run.name] = str(error)
    if progress and known:
        progress(draws, draws)
    checks: list[Check] = []
    for run, held, (quantities, values), found in known:
        if run.name in not_repeated:
            continue
        measured, drawn = values(run.columns), np.array(found)
        for column, quantity in enumerate(quantities):
            some = drawn[np.isfinite(drawn[:, column]), column]
            if np.isfinite(measured[column]) and len(some) >= KNOWN * draws:
                checks.append(Check(run.name, quantity, measured[column], some, held))
    return Checks(tuple(checks), draws, not_repeated)


def _seed(seed: int, *place: int) -> int:
    return int(np.random.SeedSequence([seed, *place]).generate_state(1)[0])


def _part(run: MeasuredRun, least: float) -> Part:
    """Return the numbers of a run, and what computes them from its pulses; formed cells conduct `least` (S) and more."""
    if run.kind is Form:
        return of_forming(str(run.values.get("ramp", "")) == "word line", least)
    parts = [of_cycles() if run.how.form == "cycles" else of_pulses(run.columns, least)]
    if run.digits is not None and run.chip is not None:
        rows, lines = (np.unique(run.columns[name]).astype(int).tolist() for name in ("row", "column"))
        if (len(rows), len(lines)) == run.digits.shape:
            parts.append(of_programming(run.digits, rows, lines, run.chip.level_scale()))

    def values(columns: dict[str, Floats]) -> list[float]:
        return [value for _, one in parts for value in one(columns)]

    return [quantity for quantities, _ in parts for quantity in quantities], values
