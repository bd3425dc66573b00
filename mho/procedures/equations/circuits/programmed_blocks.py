"""Blocks of digits from declaration to achieved conductances: what the file has of them, limits, programming, waiting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mho.chip_maps.chip import ChipMap
from mho.chip_maps.levels import Levels
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.instruments import Bench
from mho.procedures.cells.programming.programmer import Programmer
from mho.procedures.cells.programming.record import PULSES, PULSES_PER_CELL, Block, BlockMaps
from mho.procedures.cells.programming.strategies.known_strategies import find_strategy
from mho.procedures.stream import Stream
from mho.runs import Figure, Map, Table
from mho.runs.standard_figures import OF_LEVELS, programming_figures


@dataclass(frozen=True)
class BlockContents:
    """What the run file has of programmed blocks: the table of pulses, maps of each array, and their figures."""

    pulses: Table
    maps: tuple[Map, ...]
    figures: tuple[Figure, ...]


def contents_of(blocks: Sequence[Block], levels: Levels, *, rounded: bool = True) -> BlockContents:
    """Return what a layout declares for `blocks`.

    With targets that are not `rounded` to levels, figures of levels are left out: there are nearly as many as cells.
    """
    images = images_of(blocks)
    cells = sum(block.digits.size for block in blocks)
    windows = zip(levels.low.tolist(), levels.high.tolist(), strict=True)
    figures = programming_figures([image.array for image in images], windows)
    return BlockContents(
        replace(PULSES, rows=round(PULSES_PER_CELL * cells)),
        tuple(one for image in images for one in image.declared()),
        tuple(one for one in figures if rounded or one.name not in OF_LEVELS),
    )


def images_of(blocks: Sequence[Block]) -> list[BlockMaps]:
    """Return the images that hold all of `blocks`, one an array."""
    return [BlockMaps.covering(name, blocks) for name in dict.fromkeys(b.placement.array for b in blocks)]


def check_limits(bench: Bench, settings: WriteVerifySettings, vector_volts: float) -> None:
    """Check reads, the largest pulse of each kind and the input voltage; nothing is sent.

    Raises
    ------
    LimitError
        For the first that the bench file does not allow.
    InputError
        When there is no strategy of the name in the settings.
    """
    bench.check_read()
    bench.limits.check_voltage("vector", vector_volts)
    find_strategy(settings.strategy).check_pulses(bench, settings)


def make_programmer(
    bench: Bench, stream: Stream, chip: ChipMap, settings: WriteVerifySettings, levels: Levels | None = None
) -> Programmer:
    """Return a programmer of this chip's cells, to the chip's levels or to others."""
    levels = chip.level_scale() if levels is None else levels
    return Programmer(bench, stream, levels, [array.name for array in chip.arrays], settings)


def program(
    programmer: Programmer, blocks: Sequence[Block], stream: Stream, images: Sequence[BlockMaps] = ()
) -> int:
    """Program all blocks, warn of cells outside their window, and return their number.

    `images` are those that the file declares, where they hold more than these blocks.
    """
    programmer.program(blocks, images)
    failed = programmer.failed(blocks)
    say_failed_cells(failed, stream)
    return failed


def say_failed_cells(failed: int, stream: Stream) -> None:
    """Announce cells that programming could not keep in their windows."""
    if failed:
        stream.say(
            f"{failed} cells read outside their verify window after the last pass (relaxation, read noise, or lost)",
            "WARNING",
        )


def wait_at_rest(bench: Bench, seconds: float) -> None:
    """Let `seconds` of bench time pass with the outputs idle."""
    if seconds > 0.0:
        bench.rest()
        bench.wait_until(bench.now() + seconds)


def cells_in_words(blocks: Sequence[Block]) -> str:
    """Return arrays and cell ranges in use."""
    places = [block.placement for block in blocks]
    ranges = [
        f"{p.array}[{p.rows.min()}:{p.rows.max() + 1}, {p.columns.min()}:{p.columns.max() + 1}]"
        for p in places
    ]
    return "; ".join(dict.fromkeys(ranges))
