"""Forecasts a solve: what it will come to on a bench, with an interval each, before anything is programmed.

The matrix is planned as `Solve` plans it, and solved on drawn chips; of a bench of real instruments only the file is read.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from mho import procedures
from mho.chip_maps.chip import parse_chip_map
from mho.errors import BenchError, ConvergenceError, InputError, MhoError
from mho.instruments import ArrayBench, Bench
from mho.instruments.arrays import as_arrays
from mho.instruments.bench_file import BenchSource, load_bench_file, with_circuit
from mho.instruments.simulated import Cells, cell_preset
from mho.keywords import Seed, drawn_seed, keywords_checked, seed_number
from mho.running.solving import SystemParameters, plain
from mho.runs.intervals import LEAST_DRAWS, Interval

if TYPE_CHECKING:
    from mho.instruments.simulated import Circuit


@dataclass(frozen=True)
class ForecastConditions:
    """What the draws of one forecast share."""

    source: BenchSource  # without instruments
    seed: int
    replan: bool  # whether each draw plans anew

    @property
    def cells(self) -> Cells:
        """The cells that are drawn, as `cell_preset` takes them."""
        cells: Cells = self.source.kind_of_cells
        return cells

    @property
    def preset(self) -> str:
        """Their name."""
        return self.cells if isinstance(self.cells, str) else cell_preset(self.cells).name

    def planned(self, solve: procedures.Solve, given: Any) -> procedures.PreparedSolve:
        """Plan the solve, as a run with this seed does; errors as `Solve.prepare`."""
        with ArrayBench(self.source, seed=self.seed) as bench:
            prepared: procedures.PreparedSolve = solve.prepare(
                given, bench, np.random.default_rng([self.seed, 1])
            )
        return prepared

    def unfit(self) -> str:
        """Return which levels of the chip map the cells do not hold; "" where they hold all."""
        levels = parse_chip_map(self.source.chip_text).level_scale()
        return procedures.unfit_cells(cell_preset(self.cells), levels)

    def drawn(
        self, solve: procedures.Solve, given: Any, first: procedures.PreparedSolve, draws: int
    ) -> Iterator[procedures.DrawnSolve]:
        """Yield solves on drawn chips: by the plan itself, or each by one of its own where the run's seed is not known."""

        def plan(bench: Bench, rng: np.random.Generator) -> procedures.PreparedSolve:
            if self.replan:
                again: procedures.PreparedSolve = solve.prepare(given, bench, rng)
                return again
            return replace(copy.deepcopy(first), rng=rng)

        return procedures.draw_solves(
            plan, solve.execute, self.source, draws, np.random.default_rng([self.seed, 2])
        )


SURE = 0.95  # share of drawn chips from which on no alternative is tried
FEWER_CYCLES = 0.8  # of the median cycles: an alternative with so few is named where all converge
SLOW = 12  # median cycles from which alternatives are tried though all converge

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Alternative:
    """The same solve, otherwise: what was changed, and what drawn chips made of it."""

    change: str  # in words
    converging: int
    draws: int
    cycles: float  # median; infinite where most do not converge


def alternatives_to(
    at: ForecastConditions, values: dict[str, Any], now: procedures.SolveForecast, progress: Progress
) -> Iterator[Alternative]:
    """Yield what makes more chips converge, or all in clearly fewer cycles; nothing where none is needed."""
    cycles = _median_cycles(now)
    sure = now.draws > 0 and now.converging >= SURE * now.draws
    if sure and cycles < SLOW:
        return
    share = now.converging / max(now.draws, 1)
    alternatives = []
    others = list(_changes(at, values))
    for number, (change, changed, conditions) in enumerate(others):
        one = _try(conditions, change, changed)
        progress("trying what would help", number + 1, len(others))
        if one is None:
            continue
        better = one.converging / one.draws
        faster = np.isfinite(one.cycles) and one.cycles <= FEWER_CYCLES * cycles
        if better > share + 1.0 / one.draws or (better >= share and faster):
            alternatives.append(one)
    yield from sorted(alternatives, key=lambda one: (-one.converging, one.cycles))


def _changes(
    at: ForecastConditions, values: dict[str, Any]
) -> Iterator[tuple[str, dict[str, Any], ForecastConditions]]:
    """Yield what could be changed, in words, the parameters, and the conditions."""
    if values.get("residual") != "float64":
        yield "products in float64 (residual = float64)", values | {"residual": "float64"}, at
    most = int(values.get("max_cycles") or 50)
    yield f"{4 * most} cycles allowed (max_cycles = {4 * most})", values | {"max_cycles": 4 * most}, at
    for kind in ("bias", "differential"):
        if values.get("encoding") != kind:
            yield f"the {kind} encoding alone (encoding = {kind})", values | {"encoding": kind}, at
    if values.get("loop_slices") != 2:
        yield "a second slice of the loop (loop_slices = 2)", values | {"loop_slices": 2}, at
    if at.preset != "ideal":
        yield "cells without errors (preset ideal)", values, replace(at, source=as_arrays(at.source, "ideal"))


def _try(at: ForecastConditions, change: str, values: dict[str, Any]) -> Alternative | None:
    """Return what few drawn chips make of a change; None where it cannot be."""
    try:
        solve = procedures.Solve(**values)
        given = solve.check()
        drawn = list(at.drawn(solve, given, at.planned(solve, given), LEAST_DRAWS))
    except MhoError:
        return None
    solves = procedures.SolveForecast.of(drawn)
    return Alternative(change, solves.converging, solves.draws, _median_cycles(solves))


def _median_cycles(solves: procedures.SolveForecast) -> float:
    interval = solves.intervals.get("cycles_to_goal")
    return np.inf if interval is None else interval.median


DRAWS = 39  # chips: the second smallest and largest of so many values bound 90 % of further ones
MOST_DRAWS = 10_000


@dataclass(frozen=True)
class Forecast:
    """What a solve is going to come to.

    Attributes
    ----------
    bench, preset : str
        The bench, and the cells that are drawn.
    real : bool
        Whether the bench has real instruments: the drawn cells are then an assumption.
    seed : int
        Of the draws.
    size : int
        Of the matrix as a real one.
    condition : float
        Of that.
    provable_bits : float
        What a solution in float64 can be proved to.
    bits : int or None
        Asked for; None where a tolerance was.
    held_bits : int or None
        Of the matrix in the products; None for products in float64.
    plan : LoopOption or None
        The loop that is taken; None where none settles.
    tried : tuple of LoopOption
        All others, best first.
    choice : MethodChoice or None
        The method, and what each was expected to take; None where no loop settles.
    without_chip : dict
        Cycles of the first right-hand side without the chip, by method; None: not there.
    cells : int
        To program.
    solves : SolveForecast
        The intervals.
    wall : Interval or None
        s on this machine, see `mho.procedures.wall_time`; None for real instruments.
    energy : str
        Assumptions of the energy, in words.
    refused : str
        Why nothing would be programmed; empty where something would.
    alternatives : tuple of Alternative
        What would help, best first.
    unfit : str
        Which levels of the chip map the cells do not hold; empty where they hold all.

    Examples
    --------
    >>> told = mho.forecast([[0.5, 0.1], [0.1, 0.4]], [0.1, 0.2], bench="arrays", seed=1, draws=19)
    >>> told.size, told.bits, told.refused
    (2, 24, '')
    """

    bench: str
    preset: str
    real: bool
    seed: int
    size: int
    condition: float
    provable_bits: float
    bits: int | None
    held_bits: int | None
    plan: procedures.LoopOption | None
    tried: tuple[procedures.LoopOption, ...]
    choice: procedures.MethodChoice | None
    without_chip: dict[str, int | None]
    cells: int
    solves: procedures.SolveForecast
    wall: Interval | None
    energy: str
    refused: str
    alternatives: tuple[Alternative, ...]
    unfit: str


@keywords_checked(SystemParameters, positional=("bits",), seed_of_rhs="rhs_seed")
def forecast(
    matrix: Any,
    rhs: Any = None,
    *,
    bench: str | os.PathLike[str] | Bench = "simulated",
    preset: Cells | None = None,
    circuit: Circuit | None = None,
    seed: Seed = None,
    bits: int = 24,
    rhs_seed: Seed = 0,
    draws: int = DRAWS,
    alternatives: bool = True,
    progress: Progress = lambda stage, done, total: None,
    **options: Unpack[SystemParameters],
) -> Forecast:
    """Forecast ``mho.solve(matrix, rhs, bits=bits, bench=bench, ...)``; nothing is connected or written.

    Parameters
    ----------
    matrix, rhs
        As for `mho.solve`.
    bench : str, path or Bench
        A packaged bench or a bench file, also of real instruments; of an open one only what it was opened from is taken.
    preset : str or object, optional
        Cells to draw instead of the bench's.
    circuit : str, object or list of these, optional
        Amplifiers, converters or wires in place of a simulated bench's, as `mho.circuits.circuit_elements` takes them.
    seed : int, numpy.random.SeedSequence, numpy.random.Generator or None
        With that of the run to come, its plan is the one that is drawn; of None each draw plans anew.
    bits, rhs_seed
        As for `mho.solve`.
    draws : int
        Number of chips, at least 19.
    alternatives : bool
        Whether to try what would help where it may not converge.
    progress : callable
        Called with a stage, what is done of it, and of how many.
    **options
        Further parameters of `Solve`.

    Returns
    -------
    Forecast

    Raises
    ------
    MhoError
        As `mho.solve` before anything is programmed, but for a loop that does not settle: that is a forecast, too.

    Examples
    --------
    >>> told = mho.forecast([[0.5, 0.1], [0.1, 0.4]], [0.1, 0.2], bench="arrays", seed=1, draws=19)
    >>> told.solves.draws, told.solves.converging
    (19, 19)
    """
    number = seed_number(seed)
    if isinstance(draws, bool) or not isinstance(draws, int) or not LEAST_DRAWS <= draws <= MOST_DRAWS:
        raise InputError(
            f"draws is {draws!r}; give a whole number from {LEAST_DRAWS}, fewer hold no interval of 90 %, to {MOST_DRAWS}"
        )
    a, b = plain(matrix, "the matrix"), "random" if rhs is None else plain(rhs, "the right-hand side")
    values: dict[str, Any] = {"matrix": a, "rhs": b, "bits": bits, **options}
    values["seed"] = drawn_seed(rhs_seed, "rhs_seed")
    source = _source_of(bench) if circuit is None else with_circuit(_source_of(bench), circuit)
    if preset is None and isinstance(bench, Bench) and bench.simulated is not None:
        preset = bench.simulated.chip.preset
    at = ForecastConditions(as_arrays(source, preset), drawn_seed(number), number is None)
    solve = procedures.Solve(**values)
    given = solve.check()
    procedures.check_needs(solve, source.bench)
    prepared, drawn, refused = _plan_and_draw(at, solve, given, draws, progress)
    solves, timing = procedures.SolveForecast.of(drawn), partial(progress, "timing solves")
    wall = procedures.wall_time(source, at.cells, drawn, procedures.Solve, timing)
    return Forecast(
        bench=source.bench.name, preset=at.preset, real=source.bench.simulation is None, seed=at.seed,
        size=given.size, condition=given.certifier.condition, provable_bits=given.provable_bits,
        bits=int(solve.bits) if given.goal.tolerance is None else None, **_facts_of_plan(prepared, given),
        solves=solves, wall=wall, energy=procedures.EnergyModel().in_words(), refused=refused,
        alternatives=tuple(alternatives_to(at, values, solves, progress)) if alternatives else (), unfit=at.unfit(),
    )  # fmt: skip


def _source_of(bench: str | os.PathLike[str] | Bench) -> BenchSource:
    """Return the bench file of a name or a path, or what an open bench was opened from."""
    if isinstance(bench, Bench):
        if bench.closed:
            raise BenchError("the bench is closed; open it again, or give its name")
        return BenchSource(
            bench=bench.file, text=bench.text, chip_text=bench.chip_text, defects_text=bench.defects_text,
            circuit=None if bench.simulated is None else bench.simulated.elements,
        )  # fmt: skip
    if not isinstance(bench, str | os.PathLike):
        raise InputError(
            f"bench is {bench!r}; give the name of a bench ('arrays'), a bench file, or an open bench of mho.open_bench"
        )
    return load_bench_file(os.fspath(bench))


def _plan_and_draw(
    at: ForecastConditions, solve: procedures.Solve, given: Any, draws: int, progress: Progress
) -> tuple[procedures.PreparedSolve | None, list[procedures.DrawnSolve], str]:
    """Return the plan of a solve and what drawn chips make of it; without a loop that settles why there is none."""
    drawn: list[procedures.DrawnSolve] = []
    try:
        prepared = at.planned(solve, given)
    except ConvergenceError as error:
        return None, drawn, str(error)
    for one in at.drawn(solve, given, prepared, draws):
        drawn.append(one)
        progress("drawing chips", len(drawn), draws)
    return prepared, drawn, ""


def _facts_of_plan(prepared: procedures.PreparedSolve | None, given: Any) -> dict[str, Any]:
    """Return the fields of a forecast that its plan decides; None is a loop that does not settle."""
    if prepared is None:
        names = ("held_bits", "plan", "choice")
        return {**dict.fromkeys(names), "tried": (), "without_chip": {}, "cells": 0}
    on_chip, (first, *others) = prepared.on_chip, _ranked(prepared) or (None,)
    return {
        "held_bits": on_chip.held_bits,
        "plan": first,
        "tried": tuple(others),
        "choice": on_chip.choice,
        "without_chip": _unaided(prepared),
        # Where each solution is zero nothing is programmed.
        "cells": 0 if given.zeros.all() else sum(block.digits.size for block in on_chip.blocks()),
    }


def _unaided(prepared: procedures.PreparedSolve) -> dict[str, int | None]:
    """Return the cycles without the chip, by method: of each that was judged, and of GCR."""
    methods = [one.method for one in prepared.on_chip.choice.judged] or [prepared.on_chip.choice.method]
    result: dict[str, int | None] = {}
    for method in dict.fromkeys([*methods, "gcr"]):
        if (baseline := prepared.without_chip(method)) is not None:
            result[procedures.method_name(method)] = baseline.same_method[0]
    return result


def _ranked(prepared: procedures.PreparedSolve) -> list[procedures.LoopOption]:
    """Return what was tried for the loop, the one that is taken first, then by cycles and contraction.

    A matrix by blocks has no one loop.
    """
    chosen = prepared.on_chip.candidate

    def rank(one: procedures.LoopOption) -> tuple[bool, float, float]:
        return one.candidate is not chosen, one.cycles, np.inf if one.candidate is None else one.candidate.rho

    return sorted(prepared.on_chip.tried, key=rank)
