"""Cells as write-verify leaves them, without its pulses: drawn from those that it left on other chips of the kind.

A twin needs a third of a second for the pulses of ten thousand cells. What they come to depends on the target, so a sample
of each target is programmed once, and a further cell gets state and age of one of its target's sample.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.chip_maps.levels import Levels
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.errors import ChipMapError, InputError
from mho.instruments import ArrayBench, Bench
from mho.instruments.arrays import CellStates, stuck_cells
from mho.procedures.cells.programming.record import Block
from mho.procedures.equations.circuits.programmed_blocks import make_programmer
from mho.procedures.equations.circuits.tiles import FreeTiles
from mho.procedures.stream import NullStream

Numbers: TypeAlias = NDArray[Any]

EACH = 64  # cells of a target in its sample
SPARE = 8  # more that are programmed, in place of those that no pulse moves
CHIPS = 32  # most chips on which the sample is programmed


@dataclass(frozen=True)
class _Kind:
    """What the cells of a chip come to depends on; `another_chip` as of `ArrayBench`."""

    texts: tuple[str, str, str]  # bench file, chip map, settings
    preset: object
    targets: int
    another_chip: Callable[[int], ArrayBench] = field(compare=False)
    levels: Levels = field(compare=False)
    settings: WriteVerifySettings = field(compare=False)


@dataclass(frozen=True)
class DrawnCells:
    """Samples of cells after write-verify, (targets, `EACH`) each.

    Each relaxes with its age, which grows with the number of cells that are written one after the other: they were `count`.
    """

    states: tuple[Numbers, ...]  # as `CellStates`
    achieved: Floats  # by the last verify read, S
    count: int

    def draw(self, bench: ArrayBench, blocks: Sequence[Block], rng: np.random.Generator) -> None:
        """Put the cells of blocks where those of their targets came to, with what their last verify reads said."""
        share = sum(block.digits.size for block in blocks) / self.count
        alike: dict[tuple[str, tuple[int, int]], list[Block]] = {}
        for block in blocks:
            alike.setdefault((block.placement.array, block.placement.shape), []).append(block)
        for (array, _), some in alike.items():
            digits = np.stack([block.digits for block in some])
            which = digits * EACH + rng.integers(EACH, size=digits.shape)
            states = CellStates(*(values.ravel()[which] for values in self.states))
            rows = np.stack([one.placement.rows for one in some])
            columns = np.stack([one.placement.columns for one in some])
            bench.put_cell_states(array, rows, columns, states._replace(age=states.age * share))
            for block, achieved in zip(some, self.achieved.ravel()[which], strict=True):
                block.achieved[:] = achieved


def drawn_cells(bench: Bench, levels: Levels, settings: WriteVerifySettings) -> DrawnCells:
    """Return the samples of a bench's kind; they are programmed once for all its benches, on chips of their own.

    Raises `InputError`: for a bench with instruments, whose cells nothing but pulses brings anywhere.
    """
    if not isinstance(bench, ArrayBench):
        raise InputError(
            f"cells of bench {bench.file.name!r} cannot be drawn: it has instruments, which give pulses; leave "
            "programmed='written', or take a bench without instruments, as 'arrays'"
        )
    texts = bench.text, bench.chip_text, settings.model_dump_json()
    preset = bench.arrays.chip.preset
    return _sampled(_Kind(texts, preset, levels.top + 1, bench.another_chip, levels, settings))


@lru_cache(maxsize=4)
def _sampled(kind: _Kind) -> DrawnCells:
    need, cells, found = (EACH + SPARE) * kind.targets, [], 0
    for seed in range(CHIPS):
        cells += _written(kind, seed, found, need - found)
        found = sum(each[0].size for each in cells)
        if found >= need:
            break
    else:
        raise ChipMapError(
            f"{CHIPS} chips have room for {found} of {need} cells of a sample; give programmed='written'"
        )
    digits, stuck, achieved, *states = (np.concatenate(values) for values in zip(*cells, strict=True))
    order = np.lexsort((stuck, digits))  # by target, those that no pulse moves last
    first = np.searchsorted(digits[order], np.arange(kind.targets))
    which = order[first[:, None] + np.arange(EACH)]
    return DrawnCells(tuple(values[which] for values in states), achieved[which], digits.size)


def _written(kind: _Kind, seed: int, start: int, need: int) -> list[tuple[Numbers, ...]]:
    """Write cells of one chip, as many as there is need and room for; of each tile: digits, stuck, achieved and states.

    `start`: number of cells before, from which targets go round.
    """
    with kind.another_chip(seed) as bench:
        tiles = FreeTiles(bench)
        size = tiles.shape[0] * tiles.shape[1]
        places = list(islice(tiles.places, -(-need // size)))
        digits = (start + np.arange(len(places) * size)) % kind.targets
        blocks = [
            Block(place, part) for place, part in zip(places, digits.reshape(-1, *tiles.shape), strict=True)
        ]
        make_programmer(bench, NullStream(), tiles.chip, kind.settings, kind.levels).program(blocks)
        return [
            tuple(
                np.ravel(values)
                for values in (
                    block.digits,
                    stuck_cells(bench, place.array, place.rows, place.columns),
                    block.achieved,
                    *bench.cell_states(place.array, place.rows, place.columns),
                )
            )
            for block, place in zip(blocks, places, strict=True)
        ]
