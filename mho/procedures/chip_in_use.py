"""The chip that a bench holds: its map with its defects, what a procedure begins with there, and whose runs it has seen."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mho.cell_sets import PackedCells
from mho.chip_maps.chip import ChipMap, parse_chip_map
from mho.chip_maps.defects import chip_with_defects
from mho.errors import ChipMapError, InputError
from mho.instruments import Bench
from mho.procedures.base import Procedure, Result

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


def chip_defaults(values: Mapping[str, Any], given: Collection[str], chip: ChipMap) -> dict[str, str]:
    """Return what takes the place of defaults that a chip does not have: its first array, and of the lines those it has.

    `values`: parameters of a procedure by name, of which `array`, `rows` and `columns` count, where they are texts.
    `given`: the names of those that somebody gave; they are never replaced.
    """
    from mho.procedures.cell_range import lines_text, parse_lines

    arrays, name = {one.name: one for one in chip.arrays}, values.get("array")
    if not isinstance(name, str) or (name not in arrays and "array" in given):
        return {}
    array = arrays.get(name, chip.arrays[0])
    instead = {} if name in arrays else {"array": array.name}
    for what, count in (("rows", array.rows), ("columns", array.columns)):
        text = values.get(what)
        if what in given or not isinstance(text, str):
            continue
        try:
            lines = parse_lines(text, what)
        except InputError:  # "all", or another text of a procedure of one's own
            continue
        there = lines[lines < count]
        if 0 < len(there) < len(lines):
            instead[what] = str(there[0]) if len(there) == 1 else lines_text(there)
    return instead


def on_chip(procedure: Procedure[Result], chip_text: str, source: str = "chip map") -> Procedure[Result]:
    """Return a procedure with `chip_defaults` where a chip lacks its defaults; itself where it has them.

    Raises `ChipMapError` for a chip map that cannot be read.
    """
    values, given = procedure.parameter_values(), vars(procedure)["_given"]
    if not isinstance(values.get("array"), str) or given.issuperset(
        {"array", "rows", "columns"} & values.keys()
    ):
        return procedure
    instead = chip_defaults(values, given, parse_chip_map(chip_text, source))
    if not instead:
        return procedure
    fitted = copy(procedure)
    for name, value in instead.items():
        setattr(fitted, name, value)
    return fitted


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
