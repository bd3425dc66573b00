"""The chip that a bench holds: its map, united with the list of its defects, and whether a run was made on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mho.cell_sets import PackedCells
from mho.chip_maps.chip import ChipMap, parse_chip_map
from mho.chip_maps.defects import chip_with_defects
from mho.errors import ChipMapError, InputError
from mho.instruments import Bench

if TYPE_CHECKING:  # HDF5 loads slowly, and most runs read no other run's file
    from mho.runs import RunFile


def chip_of(bench: Bench) -> ChipMap:
    """Return the chip on a bench, with all its known bad cells and lines.

    Raises
    ------
    ChipMapError
        For a chip map or a list of defects that is wrong, and a list of another chip.
    """
    chip = parse_chip_map(bench.chip_text, f"chip map {bench.file.chip}")
    return chip_with_defects(chip, bench.defects_text, "the list of defects")


def check_same_chip(run: RunFile, chip: ChipMap) -> None:
    """Check that a run was made on this chip, and that its digits mean the same now.

    Raises `ChipMapError`: the run's chip map cannot be read, or says other arrays or levels; `InputError`: the run
    was made on another chip.
    """
    then = parse_chip_map(run.chip, f"chip map in {run.path}")
    if then.name != chip.name:
        raise InputError(
            f"{run.path} was made on chip {then.name!r}, and this bench holds chip {chip.name!r}: name the bench of that "
            "chip, or a run of this one"
        )
    for what, before, now in (
        ("levels", then.levels.conductances, chip.levels.conductances),
        ("arrays", _sizes(then), _sizes(chip)),
    ):
        if before != now:
            raise ChipMapError(
                f"{run.path} was made on chip {then.name!r} with other {what} than its chip map has now: put them back "
                "as they were, or program anew"
            )


def formed_cells_of(run: RunFile) -> tuple[PackedCells, ...]:
    """Return the cells of its chip that were formed when a run ended."""
    then = parse_chip_map(run.chip, f"chip map in {run.path}")
    shapes = {name: (rows, columns) for name, rows, columns in _sizes(then)}
    return run.formed_cells(shapes, then.write_verify.formed_above)


def recall_formed(bench: Bench, path: Path) -> None:
    """Let a bench of real instruments know which cells were formed when the run in a file ended; of another chip none.

    A simulated bench knows it by itself, as far as its chip is the one of that run. Raises `RunFileError` or
    `ChipMapError`: the file cannot be read.
    """
    if bench.simulated is not None:
        return
    now = parse_chip_map(bench.chip_text, f"chip map {bench.file.chip}")
    from mho.runs import RunFile

    with RunFile(path) as run:
        then = parse_chip_map(run.chip, f"chip map in {path}")
        if (then.name, _sizes(then)) == (now.name, _sizes(now)):
            bench.forming.add(formed_cells_of(run))


def _sizes(chip: ChipMap) -> list[tuple[str, int, int]]:
    return [(array.name, array.rows, array.columns) for array in chip.arrays]
