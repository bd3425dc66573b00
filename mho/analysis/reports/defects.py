"""Collects the cells that runs found defective, and those that they formed, for the list of a chip's defects.

Any procedure that declares a map ``ARRAY_defects`` is collected from: each cell has a code of
`mho.chip_maps.defects.CLASSES`, and NaN or -1 where nothing is known of it. So is one that says in ``ARRAY_outcome`` how
the programming of cells ended, in ``ARRAY_contact`` what their contacts are like, or in ``ARRAY_forming_state`` which were
formed. ``ARRAY_pulses`` and ``ARRAY_conductance`` on the same lines, where there are any, say more. The cells that a run's
own pulses destroyed stand in its result (`LOST_CELLS`): a finding about one of them says so, whatever its class.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.cell_sets import PackedCells, united
from mho.chip_maps.chip import ChipMap, chip_hash, parse_chip_map
from mho.chip_maps.defects import (
    CLASSES,
    CONTACTS,
    FORMING,
    OUTCOMES,
    DefectFinding,
    DefectList,
    Place,
    check_belongs,
)
from mho.errors import ChipMapError, InputError, RunFileError
from mho.runs import RunFile

CODES = {
    "_defects": np.arange(len(CLASSES)),
    "_outcome": np.array([CLASSES.index(name) for name in OUTCOMES]),
    "_contact": np.array([CLASSES.index(name) for name in CONTACTS]),
    "_forming_state": np.array([CLASSES.index(name) for name in FORMING]),
}
"""By the end of a map's name, the code in `CLASSES` of each of its own."""

LOST_CELLS = "lost_cells"
"""Key of a result: the cells that the run's own pulses destroyed, with array, row, column, cause and stress of each."""

OPENED = "deep RESET"  # the cause that leaves a cell stuck off; all others leave it stuck on
LINES = ("open", "short")
"""Classes that a whole line has where all its cells have it: it is the line that is open, or shorted."""


@dataclass(frozen=True)
class Collected:
    """What runs found."""

    defects: DefectList  # of all of them together
    without: tuple[tuple[Path, str], ...] = ()  # runs that say nothing of defects, with the reason


def collect_defects(paths: Sequence[Path]) -> Collected:
    """Return the defects that the runs in files found, all on one chip.

    Raises `RunFileError`: a file cannot be read; `ChipMapError`: it has no chip map that can be; `InputError`: the runs
    were made on different chips, or none says anything of defects.
    """
    entries: list[DefectFinding] = []
    formed: tuple[PackedCells, ...] = ()
    without: list[tuple[Path, str]] = []
    first: tuple[Path, ChipMap] | None = None
    map_hash = ""
    for path in paths:
        with RunFile(path) as run:
            why = _says_nothing(run)
            chip = parse_chip_map(run.chip, f"chip map in {path}")
            shapes = {array.name: (array.rows, array.columns) for array in chip.arrays}
            conducted = run.formed_cells(shapes, chip.write_verify.formed_above)
            if why and not conducted:
                without.append((path, why))
                continue
            if first is not None and chip.name != first[1].name:
                raise InputError(
                    f"{first[0]} was made on chip {first[1].name!r} and {path} on {chip.name!r}: collect each chip's "
                    "defects into a list of its own"
                )
            first, map_hash = first or (path, chip), chip_hash(run.chip)
            findings = [] if why else list(_of_run(run, chip))
            formed = united(formed, conducted)
            check_belongs(DefectList(chip=chip.name).merged(findings), chip, f"run file {path}")
            entries += findings
    if first is None:
        raise InputError(
            "; ".join(f"{path} {why}" for path, why in without)
            + ": name runs of program, refresh or contact, or of form"
        )
    whole = DefectList(chip=first[1].name, map_sha256=map_hash).merged(entries).with_formed(formed)
    return Collected(whole, tuple(without))


def _says_nothing(run: RunFile) -> str:
    """Return why there is nothing to collect from a run; "" where there is."""
    maps = [image for image, _, _ in _maps(run)]
    if lost_cells(run):
        return ""
    if not maps:
        return f"({run.procedure}) has no map of its cells' classes"
    if not any(len(run.map_times(name)) for name in maps):
        return f"({run.procedure}, {run.status}) ended before its cells were classified"
    return ""


def _maps(run: RunFile) -> list[tuple[str, str, NDArray[np.int64]]]:
    """Return the maps to collect from: name, array, and the class of each code."""
    return [
        (image, image.removesuffix(ending), classes)
        for ending, classes in CODES.items()
        for image in run.maps
        if image.endswith(ending)
    ]


def _of_run(run: RunFile, chip: ChipMap) -> Iterator[DefectFinding]:
    moment = (run.end_time or run.start_time).isoformat(timespec="seconds")
    name = run.path.name.encode("utf-8", "backslashreplace").decode()
    lost = lost_cells(run)
    for image, array, classes in _maps(run):
        if not len(run.map_times(image)):
            continue
        rows, columns = run.map_axes(image)
        codes = _codes(run, image, classes)
        shape = {one.name: (one.rows, one.columns) for one in chip.arrays}.get(array)
        if shape is None:
            raise ChipMapError(
                f"run file {run.path} has a map {image!r}, but its chip {chip.name!r} has no such array"
            )
        pulses, reads = (_latest(run, f"{array}_{one}", codes.shape) for one in ("pulses", "conductance"))
        for where, defect in whole_lines(codes, rows, columns, shape):
            codes[where] = 0
            lines = {"row": int(rows[where[0]])} if where[1] == ALL else {"column": int(columns[where[1]])}
            yield DefectFinding(
                array=array, defect=defect, found=moment, run=name, reason="all its cells", **lines
            )
        for i, j in np.argwhere(codes > 0).tolist():
            place = Place(array, int(rows[i]), int(columns[j]))
            notes = [f"read {1e6 * reads[i, j]:.3g} uS"] * bool(np.isfinite(reads[i, j]))
            notes += [f"after {pulses[i, j]:.0f} pulses"] * bool(np.isfinite(pulses[i, j]))
            yield DefectFinding(
                **place._asdict(), defect=CLASSES[codes[i, j]], found=moment, run=name, reason=" ".join(notes),
                lost_by=lost.pop(place, ("", ""))[1],
            )  # fmt: skip
    for place, (cause, by) in lost.items():  # in no map, or read within its window all the same
        stuck = "stuck off" if cause == OPENED else "stuck on"
        yield DefectFinding(**place._asdict(), defect=stuck, found=moment, run=name, lost_by=by)


def lost_cells(run: RunFile) -> dict[Place, tuple[str, str]]:
    """Return the cells that a run's own pulses destroyed, each with its cause, and with what it had in words.

    Raises `RunFileError`: the file is damaged, or its result has no such list.
    """
    listed = run.summary.get(LOST_CELLS, [])
    try:
        places = [Place(str(one["array"]), int(one["row"]), int(one["column"])) for one in listed]
        causes = [(str(one["cause"]), f"{one['cause']}, {one['stress']}") for one in listed]
        return dict(zip(places, causes, strict=True))
    except (TypeError, ValueError, KeyError):
        raise RunFileError(
            f"run file {run.path}: `{LOST_CELLS}` in its result is no list of cells with row, column and cause"
        ) from None


ALL = slice(None)
Where = tuple[int | slice, int | slice]


def whole_lines(
    codes: NDArray[np.int64], rows: NDArray[np.int64], columns: NDArray[np.int64], shape: tuple[int, int]
) -> Iterator[tuple[Where, str]]:
    """Yield the whole lines, as index and class, of which every cell was seen and is open, or is shorted.

    `codes` (m, n) are in `CLASSES`, `rows` (m,) and `columns` (n,) the lines' numbers, `shape` that of the array.
    """
    whole_rows, whole_columns = len(columns) == shape[1], len(rows) == shape[0]
    for name in LINES:
        same = codes == CLASSES.index(name)
        for i in np.flatnonzero(same.all(axis=1)) if whole_rows and shape[1] > 1 else ():
            yield (int(i), ALL), name
        for j in np.flatnonzero(same.all(axis=0)) if whole_columns and shape[0] > 1 else ():
            yield (ALL, int(j)), name


def _codes(run: RunFile, image: str, classes: NDArray[np.int64]) -> NDArray[np.int64]:
    values = run.map(image)
    known = np.isfinite(values) & (values >= 0)
    codes = np.where(known, values, 0.0).astype(np.int64)
    wrong = codes[codes >= len(classes)]
    if wrong.size:
        raise ChipMapError(
            f"run file {run.path}: map {image!r} has the code {wrong[0]}; its codes are 0 to {len(classes) - 1}"
        )
    return np.where(known, classes[codes], 0)


def _latest(run: RunFile, image: str, shape: tuple[int, ...]) -> Floats:
    """Return the last image of a map; NaN where there is none of this shape."""
    values = run.map(image) if image in run.maps and len(run.map_times(image)) else np.empty(0)
    return values if values.shape == shape else np.full(shape, np.nan)
