"""The answers of a run whose error a budget explains: matched with the exchanges behind them, given again with causes off.

The error is relative and squared, ||answer - exact||^2 / ||exact||^2: independent causes add to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mho import procedures
from mho.array_types import Floats
from mho.chip_maps.chip import parse_chip_map
from mho.chip_maps.levels import Levels
from mho.errors import InputError
from mho.instruments import Bench, arrays
from mho.instruments.bench_file import BenchFile
from mho.procedures.base import Procedure
from mho.procedures.stream import NOWHERE, Stream
from mho.running.budget.conductances import LastReads
from mho.running.budget.shares import StageProgress
from mho.runs import RunFile


@dataclass(frozen=True)
class LoopTargets:
    """Targets of a loop's cells."""

    loop: procedures.LoopOnCells
    first: Mapping[str, arrays.Targets]  # of the first slice, array by array
    second: Mapping[str, arrays.Targets]  # what the run aimed the second slice at; empty without one

    @classmethod
    def of(cls, loop: procedures.LoopOnCells, matrix: Floats) -> Self:
        """Return those of a programmed loop that holds `matrix` (n, n)."""
        first = {name: arrays.Targets(*both) for name, both in loop.targets(matrix).items()}
        second = {}
        if loop.second_slice is not None:
            for block in loop.second_slice.blocks():
                aimed = loop.levels.conductance(block.digits)
                second[block.placement.array] = arrays.Targets(aimed, aimed)
        return cls(loop, first, second)

    def held(self, cells: Mapping[str, arrays.HeldCells], causes: arrays.Causes) -> dict[str, Floats]:
        """Return the conductances (k, k) of the cells of each array, S, without noise."""
        result = {name: one.held(cells[name], causes) for name, one in self.first.items()}
        if not self.second:
            return result
        wires, rounded = "wires" in causes, "quantisation" in causes
        if wires and causes >= arrays.CELLS:
            return result | {name: cells[name].now for name in self.second}
        aimed = self.loop.second_targets(
            {name: one.rounded if rounded else one.exact for name, one in self.first.items()},
            {name: one.read_as(cells[name], causes) for name, one in self.first.items()},
            wires=wires,
        )
        levels = self.loop.levels
        for name, one in self.second.items():
            target = aimed[name]
            if rounded:
                target = levels.conductance(np.rint(target / levels.step).astype(np.int64))
            result[name] = arrays.held_later(one.missed(cells[name], causes, target), cells[name], causes)
        return result


Lines = Sequence[int] | NDArray[np.int64]


class Railed(Exception):
    """A loop sits in its clamps at every input scale: there is no answer."""


@dataclass(frozen=True)
class LoopInputs:
    """What code that plays vectors asks a bench for: its file, and the conductance of the loop's inputs, S."""

    file: BenchFile
    input_conductance: float


class RepeatedBench:
    """Every block in its place answers as it did, the first time as in its first exchange.

    `targets`: of the cells in each place.
    `causes`: those that are on.
    `facts`: of the bench that played them.
    """

    def __init__(
        self,
        circuits: arrays.SwitchedCircuits,
        targets: Mapping[arrays.Place, arrays.Holding],
        causes: arrays.Causes,
        facts: LoopInputs | None = None,
    ) -> None:
        self._circuits, self._targets, self._causes = circuits, targets, causes
        self._recorded: dict[arrays.Place, list[arrays.Exchange]] = {}
        self._played: dict[arrays.Place, int] = {}
        self._place: arrays.Place | None = None
        if facts is not None:
            self.file, self.input_conductance = facts.file, facts.input_conductance

    def follow(self, exchanges: Iterable[arrays.Exchange]) -> None:
        """Repeat these from now on, where a place is among them; elsewhere those before."""
        recorded: dict[arrays.Place, list[arrays.Exchange]] = {}
        for one in exchanges:
            recorded.setdefault(one.place, []).append(one)
        self._recorded |= recorded
        self._played |= dict.fromkeys(recorded, 0)

    def connect_multiply(self, array: str, rows: Lines, columns: Lines) -> None:
        """Connect a block for `multiply`."""
        self._place = "MULT", array, tuple(map(int, rows)), tuple(map(int, columns))

    def connect_invert(self, positive: str, rows: Lines, columns: Lines, **loop: Any) -> None:
        """Close the inverting loop around a block, with its diagonal and other arrays as they were."""
        self._place = "INV", positive, tuple(map(int, rows)), tuple(map(int, columns))

    def multiply(self, volts: Floats) -> Floats:
        """Return currents (samples, columns), A."""
        return self._answer(volts)

    def invert(self, volts: Floats) -> Floats:
        """Return settled outputs (samples, n), V, NaN in a row where one is in its clamp.

        `Railed` where that is so in all of them.
        """
        outputs = self._answer(volts)
        if procedures.largest_linear(outputs) is None:
            raise Railed
        return outputs

    def _answer(self, volts: Floats) -> Floats:
        place = self._place
        assert place is not None  # whoever plays has connected a block
        recorded, number = self._recorded[place], self._played[place]
        self._played[place] = number + 1
        exchange = recorded[min(number, len(recorded) - 1)]
        if number >= len(recorded):  # the run played fewer
            exchange = exchange.later(number - len(recorded) + 1)
        return self._circuits.repeat(exchange, self._targets[place], self._causes, volts)


RAILED = 1.0  # squared error of a loop that rails at every input scale: that of an answer of 0


@dataclass(frozen=True)
class Question:
    """One answer of a run."""

    measured: float  # squared error, as the run file has it; NaN where it has none

    @property
    def effort(self) -> int:
        """How many answers of a loop an `error` takes the time of."""
        return 1

    def error(self, circuits: arrays.SwitchedCircuits, causes: arrays.Causes) -> float:
        """Return the squared error of a twin with only `causes`."""
        raise NotImplementedError

    def redrawn(self, moment: int, number: int) -> Self:
        """Return the same question at another moment, as `Exchange.redrawn`."""
        raise NotImplementedError


@dataclass(frozen=True)
class LoopQuestion(Question):
    """The answer of an INV loop to one right-hand side, at the largest input scale that no output clamps."""

    exchange: arrays.Exchange  # inputs (scales, k), largest first
    targets: arrays.Holding  # of the loop's cells
    per_unit: Floats  # (scales,) array; output that stands for 1 in the loop's solution, V
    solution: Floats  # (n,) array; exact, of the system as given
    given: Callable[[Floats], Floats]  # solution of the loop -> that of the system as given
    order: int  # number of the loop's unknowns

    def error(self, circuits: arrays.SwitchedCircuits, causes: arrays.Causes) -> float:
        """Return the squared error of a twin with only `causes`."""
        return self.error_of(circuits.repeat(self.exchange, self.targets, causes))

    def error_of(self, outputs: Floats) -> float:
        """Return the squared error of outputs (scales, k), V."""
        best = procedures.largest_linear(outputs)
        if best is None:
            return RAILED
        answer = self.given(outputs[best, : self.order] / self.per_unit[best])
        return squared_error(answer, self.solution)

    def redrawn(self, moment: int, number: int) -> Self:
        """Return the same question at another moment, as `Exchange.redrawn`."""
        return replace(self, exchange=self.exchange.redrawn(moment, number))


@dataclass(frozen=True)
class ProductQuestion(Question):
    """The sums of digits that programmed tiles answer to random patterns, before they are rounded.

    `measured` is the mean squared error over the mean square of the exact sums.
    """

    exchanges: tuple[arrays.Exchange, ...]  # as the run played them: first the calibration of each tile
    targets: Mapping[arrays.Place, arrays.Holding]  # of the cells in each place
    procedure: procedures.Multiply
    plan: procedures.MultiplyPlan

    def error(self, circuits: arrays.SwitchedCircuits, causes: arrays.Causes) -> float:
        """Return the squared error of a twin with only `causes`, calibrated as the run calibrates."""
        bench = RepeatedBench(circuits, self.targets, causes)
        bench.follow(self.exchanges)
        sums = self.procedure.sums_on(self.plan, bench)
        sums.calibrate()
        off = whole = 0.0
        for _, patterns in procedures.random_by_active(
            len(sums.digits), self.procedure.shots, self.procedure.pattern_rng()
        ):
            exact, seen = sums.expected(patterns).ravel(), sums.measured(patterns).ravel()
            sample = procedures.evenly(exact.size, self.procedure.outputs_kept)
            off += float(np.sum((seen[sample] - exact[sample]) ** 2))
            whole += float(np.sum(exact[sample].astype(np.float64) ** 2))
        return off / whole

    def redrawn(self, moment: int, number: int) -> Self:
        """Return the same question at another moment, as `Exchange.redrawn`."""
        moved = tuple(one.redrawn(moment, which) for which, one in enumerate(self.exchanges))
        return replace(self, exchanges=moved)


def squared_error(answer: Floats, exact: Floats) -> float:
    """Return ||answer - exact||^2 / ||exact||^2."""
    return float(np.sum((answer - exact) ** 2) / np.sum(exact**2))


def volts_per_unit(
    volts: Floats, rhs: Floats, cells: procedures.LoopOnCells, input_conductance: float
) -> Floats:
    """Return the outputs (scales,), V, that stand for 1 in the solution for inputs (scales, k), V, of `rhs` (n,)."""
    shares = volts[:, : len(rhs)] @ rhs / (rhs @ rhs)
    return np.asarray(-input_conductance * shares * cells.encoding.unit / cells.step)


MOST_ANSWERS = 64  # of one run that are explained, the first ones


class AllAnswered(Exception):
    """All answers of the run have been given."""


class Answers(Stream):
    """Hears of a run's answers, and matches them with the exchanges behind them."""

    def __init__(self, file: RunFile, procedure: Procedure, plan: Any, bench: Bench) -> None:
        super().__init__(NOWHERE)
        self.file, self.procedure, self.plan, self.bench = file, procedure, plan, bench
        self.report: StageProgress = lambda stage, done, total: None
        shapes = {
            one.name: (one.rows, one.columns)
            for one in parse_chip_map(bench.chip_text, "the chip map").arrays
        }
        self.reads = LastReads(shapes)
        self.record: Any = self._record
        self.record_block: Any = self._record_block
        self.last: arrays.Exchange | None = None
        self.questions: list[Question] = []

    def _record(self, table: str, **row: Any) -> None:
        if table == "pulses":
            self.reads.take(row)
            self.forget()

    def _record_block(self, table: str, columns: Any) -> None:
        if table == "pulses":
            self.reads.take(columns)
            self.forget()
        else:
            self.match(table, columns)

    def forget(self) -> None:
        """Forget what was played before the cells were programmed further."""
        self.last = None

    def match(self, table: str, columns: Any) -> None:
        """Match rows of other tables with the exchange before; nothing here."""

    def add(self, question: Question, answers: int, most: int = MOST_ANSWERS) -> None:
        """Add one of a run's answers; `AllAnswered` with the last that is explained."""
        self.questions.append(question)
        if len(self.questions) == min(most, answers):
            raise AllAnswered

    def progress(self, stage: str, done: float, total: float, **values: Any) -> None:
        """Tell how far the repetition is."""
        self.report(f"repeating: {stage}", int(done), int(total))

    def keep(self, exchange: arrays.Exchange) -> None:
        """Take an exchange that has just been played."""
        if exchange.board.mode != "MULT":
            self.last = exchange


class InversionAnswers(Answers):
    """Those of `Invert`: every right-hand side of every matrix, at all scales in one exchange."""

    def __init__(self, file: RunFile, procedure: Procedure, plan: Any, bench: Bench) -> None:
        super().__init__(file, procedure, plan, bench)
        table = file.table("solutions")
        self._errors = {
            (int(m), int(b)): float(e)
            for m, b, e in zip(table["matrix"], table["rhs"], table["error"], strict=True)
        }

    def match(self, table: str, columns: Any) -> None:
        """Match the rows of a right-hand side with the exchange before."""
        if table != "inversions" or self.last is None:
            return
        number, index = int(columns["matrix"][0]), int(columns["rhs"][0])
        if not self._errors:
            raise AllAnswered
        measured = self._errors.get((number, index))
        if measured is None:  # every scale clamped an output, or the run did not come so far
            if (number, index) > max(self._errors):
                raise AllAnswered
            return
        loop, systems = self.plan.loops[number], self.plan.systems
        rhs = systems.rhs[index]
        question = LoopQuestion(
            measured**2, self.last, LoopTargets.of(loop.cells, loop.matrix),
            volts_per_unit(self.last.volts, rhs, loop.cells, self.bench.input_conductance),
            systems.solutions[number, index], np.asarray, len(rhs),
        )  # fmt: skip
        self.add(question, len(self._errors))


class FirstCycles(Answers):
    """Those of `Solve`: the bare INV of each right-hand side's first cycle, before any refinement."""

    def __init__(self, file: RunFile, procedure: Procedure, plan: Any, bench: Bench) -> None:
        super().__init__(file, procedure, plan, bench)
        table = file.table("cycles")
        first = table["cycle"] == 1
        sides = table.get(
            "rhs", np.zeros(len(first), np.int64)
        )  # early files have one side and no such column
        self._played = {
            int(b): (u, v)
            for b, u, v in zip(sides[first], table["input"][first], table["output"][first], strict=True)
        }

    def emit(self, table: str, **row: Any) -> None:
        """Match a first cycle with the exchange before."""
        if table != "cycles" or row["cycle"] != 1 or self.last is None:
            return
        column = int(row["rhs"])
        if column not in self._played:
            raise AllAnswered
        system, plan = self.plan.system, self.procedure.matrix_in_use.plan  # type: ignore[attr-defined]
        form, matrix = plan.preconditioning, plan.loop.matrix + plan.shift * np.eye(len(plan.loop.matrix))
        rhs = form.equations(system.rhs[:, column])
        conductance = self.bench.input_conductance
        question = LoopQuestion(
            np.nan, self.last, LoopTargets.of(plan.cells, matrix),
            volts_per_unit(self.last.volts, rhs, plan.cells, conductance), system.reference[:, column],
            lambda x: system.unknowns(form.solution(x)), len(rhs),
        )  # fmt: skip
        volts, outputs = self._played[column]
        per_unit = volts_per_unit(volts[None], rhs, plan.cells, conductance)
        played = replace(question, per_unit=per_unit)
        self.add(replace(question, measured=played.error_of(outputs[None])), len(self._played))


class Sums(Answers):
    """Those of `Multiply`: sums of digits of random patterns, before they are rounded to integers."""

    def __init__(self, file: RunFile, procedure: Procedure, plan: Any, bench: Bench) -> None:
        super().__init__(file, procedure, plan, bench)
        self._played: list[arrays.Exchange] = []
        table = file.table("patterns")
        whole = float(np.sum(table["expected"].astype(np.float64) ** 2))
        if not whole:
            raise InputError(f"{file.path} holds no sum of digits that is not 0 ({file.status})")
        self._measured = float(np.sum(table["error"] ** 2)) / whole

    def keep(self, exchange: arrays.Exchange) -> None:
        """Take an exchange that has just been played."""
        self._played.append(exchange)

    def match(self, table: str, columns: Any) -> None:
        """Take all exchanges since the cells were programmed, once the patterns are over."""
        if table != "linearity":
            return
        assert isinstance(self.procedure, procedures.Multiply)
        levels = self.plan.chip.level_scale()
        targets = tile_targets(self.plan.tiles, levels)
        played = tuple(one for one in self._played if one.board.block is not None)
        self.add(ProductQuestion(self._measured, played, targets, self.procedure, self.plan), 1)

    def forget(self) -> None:
        """Forget what was played before the cells were programmed further: verify reads of whole columns."""
        self._played.clear()


def tile_targets(tiles: Iterable[procedures.Block], levels: Levels) -> dict[arrays.Place, arrays.Holding]:
    """Return the targets of multiplying tiles, in their places; exact are whole digits."""
    result: dict[arrays.Place, arrays.Holding] = {}
    for tile in tiles:
        place = tile.placement
        lines = place.array, tuple(map(int, place.rows)), tuple(map(int, place.columns))
        one = arrays.Targets(levels.conductance(tile.digits), levels.step * tile.digits.astype(np.float64))
        result["MULT", *lines] = arrays.TargetsByArray({place.array: one})
    return result
