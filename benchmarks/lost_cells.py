"""Cells that our own pulses destroy: counted by the state of the simulated chip, for every preset and strategy.

Random digits are programmed on fresh chips, and refreshed a day later. A cell is destroyed by us when it is stuck on at the
end and was not at the beginning. It is worn when a RESET lost it, which has a chance at every RESET of a cell that is low
already (`deep_reset_loss`). Counted are also forming pulses on formed cells, pulses beyond what destroys one, and healthy
cells that a strategy calls stuck: their RESETs do not lower them far enough.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from benchmarks._solves import threads
from benchmarks.registry import Figure
from benchmarks.strategies import CASES
from mho.instruments import Bench, open_bench
from mho.instruments.simulated import CELL_PRESETS
from mho.instruments.simulated.physics.cells.cells import FORMED, STUCK_OFF, STUCK_ON, VIRGIN, CellArray
from mho.procedures import Program, Refresh
from mho.procedures.cells.programming.strategies.known_strategies import STRATEGIES
from mho.procedures.cells.programming.strategy import Outcome
from mho.procedures.chip_in_use import chip_of
from mho.procedures.stream import NullStream
from mho.running.execution import evaluate

SIDE, DAY = 42, 86_400.0  # cells of a block's side; s before the refresh
NAMES = ("destroyed", "worn", "formed_again", "beyond", "called_stuck", "failed")
STUCK = (Outcome.STUCK_LOW, Outcome.STUCK_HIGH)


def run(repeat: int) -> list[Figure]:
    """Program a chip of every preset by every strategy for each repeat; five of them make 260,000 cells."""
    figures, cells = [], 0
    whole: Counter[str] = Counter()
    for preset in CELL_PRESETS:
        for strategy in STRATEGIES:
            each = [programmed(preset, strategy, seed) for seed in range(1, repeat + 1)]
            counts = {name: sum(getattr(one, name) for one in each) for name in NAMES}
            whole.update(counts)
            here = sum(one.cells for one in each)
            cells += here
            figures.append(
                Figure(
                    f"{preset}, {strategy}: cells destroyed",
                    counts["destroyed"],
                    "cells",
                    target="0",
                    met=counts["destroyed"] == counts["formed_again"] == counts["beyond"] == 0,
                    detail={"cells": here, **counts},
                    threads=threads(),
                )
            )
    none = not (whole["destroyed"] or whole["formed_again"] or whole["beyond"])
    detail = {"cells": cells, **whole}
    return [
        *figures,
        Figure("all: cells destroyed", whole["destroyed"], "cells", target="0", met=none, detail=detail),
    ]


@dataclass(frozen=True)
class Harm:
    """What was done to the cells of a chip.

    Attributes
    ----------
    cells, destroyed, worn : int
        Programmed; stuck on at the end though not at the beginning; and stuck off.
    formed_again : int
        Forming pulses on formed cells.
    beyond : int
        Pulses on formed cells beyond the preset's `damage_voltage`.
    called_stuck : int
        Healthy cells whose programming ended as stuck.
    failed : int
        Cells outside their windows after the programming.
    """

    cells: int
    destroyed: int
    worn: int
    formed_again: int
    beyond: int
    called_stuck: int
    failed: int


class _Outcomes(NullStream):
    """Keeps how the programming of each cell ended."""

    def __init__(self) -> None:
        super().__init__()
        self.outcomes: NDArray[np.float64] = np.zeros(0)
        self.snapshot = self._take

    def _take(self, map: str, values: Any, time: float | None = None) -> None:
        if map.endswith("_outcome"):
            self.outcomes = np.asarray(values)


@contextmanager
def watched(forming: float) -> Iterator[Counter[str]]:
    """Count pulses on formed cells of simulated chips: those of `forming` (V) and more, and those beyond damage.

    Cells that are destroyed are counted, too, by the cause (`mho.instruments.bench.LostCell`).
    """
    counts: Counter[str] = Counter()
    plain_destroy = CellArray._destroy

    def destroyed(cells: CellArray, index: Any, lost: Any, how: int, cause: Any, *rest: Any) -> None:
        counts[cause] += int(np.sum(lost))
        plain_destroy(cells, index, lost, how, cause, *rest)

    def watching(name: str) -> Any:
        plain = getattr(CellArray, name)

        def pulsed(cells: CellArray, index: Any, voltage: Any, *rest: Any, **options: Any) -> None:
            formed = cells.status(index) == FORMED
            if name.startswith("set"):
                counts["formed again"] += int(np.sum(formed & (np.asarray(voltage) >= forming)))
            counts["beyond"] += int(np.sum(formed & (np.asarray(voltage) > cells.preset.damage_voltage)))
            plain(cells, index, voltage, *rest, **options)

        return mock.patch.object(CellArray, name, pulsed)

    with (
        mock.patch.object(CellArray, "_destroy", destroyed),
        watching("set"),
        watching("reset"),
        watching("set_cells"),
        watching("reset_cells"),
    ):
        yield counts


def status(bench: Bench, side: int) -> NDArray[np.int8]:
    """Return the simulated chip's own state of the block's cells."""
    assert bench.simulated is not None
    cells, index = bench.simulated.chip.at("multiply", np.arange(side), np.arange(side))
    return np.array(cells.status(index))


def programmed(preset: str, strategy: str, seed: int, side: int = SIDE) -> Harm:
    """Program random digits on a chip of a preset by a strategy, and refresh them a day later."""
    name, _ = CASES.get(preset, ("arrays", preset))
    with open_bench(name, preset=preset, seed=seed) as bench:
        chip = chip_of(bench)
        digits = np.random.default_rng(seed).integers(0, len(chip.levels.conductances), (side, side))
        before = status(bench, side)
        with watched(min(chip.write_verify.forming_voltages)) as counts:
            program, stream = Program(digits=digits, strategy=strategy), _Outcomes()
            plan = program.prepare(program.check(), bench, np.random.default_rng(seed))
            program.execute(plan, bench, stream)
            result = stream.outcomes
            bench.wait_until(bench.now() + DAY)
            evaluate(Refresh(digits=digits, strategy=strategy), bench, seed=seed)
        after = status(bench, side)
    healthy = (after == FORMED) | (after == VIRGIN)
    return Harm(
        digits.size,
        int(((before <= FORMED) & (after == STUCK_ON)).sum()),
        int(((before <= FORMED) & (after == STUCK_OFF)).sum()),
        counts["formed again"],
        counts["beyond"],
        int((healthy & np.isin(result, STUCK)).sum()),
        int((result != Outcome.IN_WINDOW).sum()),
    )
