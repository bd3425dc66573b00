"""The list of a chip's defects: a TOML file beside its chip map, to which runs add the cells and lines that they lost.

It also holds which cells have been formed. A list only grows: a finding is taken off by hand. The cells and lines in it are
avoided by placement together with the `bad_cells` of the chip map itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field, field_validator, model_validator

from mho import platforms
from mho.cell_sets import PackedCells, cells_lines, united
from mho.chip_maps.chip import ArrayMap, ChipMap
from mho.errors import ChipMapError
from mho.input_files import check_ordinary
from mho.toml import StrictModel, parse_toml, toml_value

CLASSES = ("good", "stuck on", "stuck off", "unformed", "open", "short", "leaky", "unsteady")
"""Classes of cells; their order is the code in the maps ``ARRAY_defects`` of run files.

stuck on, stuck off
    No RESET, or no SET, moves it into its window.
unformed
    It did not conduct after the last forming pulse.
open, short, leaky
    Its contact: no current, the wire's resistance alone, current with the transistor off.
unsteady
    It switches, and was given up after the largest number of pulses.
"""

OUTCOMES = ("good", "unformed", "stuck off", "stuck on", "unsteady", "good")
"""The class that follows from each code of the maps ``ARRAY_outcome``, in which a programming run says how cells ended.

A cell that left its window after it was verified is not lost: it is programmed again.
"""

CONTACTS = ("open", "short", "good", "good", "leaky")
"""The class that follows from each code of the maps ``ARRAY_contact``: open, short, unformed, good, leaky.

A cell that conducts too little to be formed is none yet: forming it tells.
"""

FORMING = ("unformed", "good", "good", "good")
"""The class that follows from each code of the maps ``ARRAY_forming_state``: not formed, formed, over-formed, conducted."""

Defect = Literal["stuck on", "stuck off", "unformed", "open", "short", "leaky", "unsteady"]


BUSY = 20.0  # s to wait for another process's change; each takes milliseconds


class Place(NamedTuple):
    """What a finding is about: a cell, or a line where the other number is None."""

    array: str
    row: int | None
    column: int | None

    def __str__(self) -> str:
        if self.row is None or self.column is None:
            return f"{self.array} " + (f"row {self.row}" if self.column is None else f"column {self.column}")
        return f"{self.array}[{self.row}, {self.column}]"


class DefectFinding(StrictModel):
    """One defect: of a cell, or of a whole line where only `row` or only `column` is given."""

    # array, row, column: where
    array: str
    row: int | None = Field(default=None, ge=0)
    column: int | None = Field(default=None, ge=0)
    defect: Defect  # one of `CLASSES`
    found: str  # when: date and time, ISO 8601 with its offset from UTC
    run: str = ""  # name of the run file, or whatever tells where it is known from
    reason: str = ""  # what was seen
    # What our own pulses destroyed it by: ``over-voltage, 4.5 V on the bit line``; "" for the chip's own
    lost_by: str = ""

    @field_validator("found")
    @classmethod
    def _is_a_moment(cls, text: str) -> str:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            raise ValueError(
                f"{text!r} is no date and time with its offset from UTC, as 2026-03-09T07:05:01+00:00"
            )
        return text

    @model_validator(mode="after")
    def _is_somewhere(self) -> DefectFinding:
        if self.row is None and self.column is None:
            raise ValueError("a defect has a row, a column, or both: give them")
        return self

    @property
    def place(self) -> Place:
        """What it is about."""
        return Place(self.array, self.row, self.column)

    @property
    def kind(self) -> str:
        """The defect, and whether it is ours."""
        return f"{self.defect}, by our pulses" if self.lost_by else self.defect

    @property
    def moment(self) -> datetime:
        """When it was found."""
        return datetime.fromisoformat(self.found)


class DefectList(StrictModel):
    """The defects of one chip."""

    chip: str  # the name that the chip's map gives itself
    # Hash of that map's text when the list was last written: for the record, as a map may be edited
    map_sha256: str = ""
    defects: tuple[DefectFinding, ...] = ()  # one a cell or line
    # The cells that have been formed, one set an array: none of them is ever formed again
    formed: tuple[PackedCells, ...] = ()

    @model_validator(mode="after")
    def _each_place_once(self) -> DefectList:
        seen: set[Place] = set()
        for one in self.defects:
            if one.place in seen:
                raise ValueError(f"{one.place} is listed twice: keep one")
            seen.add(one.place)
        arrays = [one.array for one in self.formed]
        if len(set(arrays)) < len(arrays):
            raise ValueError("`formed` has two lines of one array: keep one")
        return self

    def with_formed(self, formed: Iterable[PackedCells]) -> DefectList:
        """Return the list with more formed cells; `ValueError` for an array of another size than before."""
        return self.model_copy(update={"formed": united(self.formed, formed)})

    def merged(self, others: Iterable[DefectFinding]) -> DefectList:
        """Return the list with more findings: of several about one cell or line the latest counts, in whatever order.

        Of two of one moment that of the run whose name comes last counts. Nothing is ever taken off, and what our own
        pulses destroyed stays so: a later run finds a cell that is stuck, and does not know why.
        """
        latest: dict[Place, DefectFinding] = {}
        for one in sorted(
            (*self.defects, *others), key=lambda one: (one.moment, one.run, one.defect, one.lost_by)
        ):
            causes = {one.lost_by, latest[one.place].lost_by if one.place in latest else ""} - {""}
            latest[one.place] = one.model_copy(update={"lost_by": min(causes, default="")})
        ordered = sorted(latest.values(), key=lambda one: _order(one.place))
        return self.model_copy(update={"defects": tuple(ordered)})

    def text(self) -> str:
        """Return the list as TOML, one line a finding."""
        lines = [
            f"# Defects of chip {self.chip!r}, from its runs; `mho chip defects RUN.h5 --to FILE` adds more.",
            f"chip = {toml_value(self.chip)}",
            f"map_sha256 = {toml_value(self.map_sha256)}",
            "defects = [",
        ]
        for one in self.defects:
            values = one.model_dump(exclude_none=True, exclude_defaults=True)
            pairs = (f"{name} = {toml_value(value)}" for name, value in values.items())
            lines.append(f"  {{ {', '.join(pairs)} }},")
        formed = [
            "formed = [  # cells that have conducted: `bits` are packed masks",
            *cells_lines(self.formed),
            "]",
        ]
        return "\n".join([*lines, "]", *(formed if self.formed else ()), ""])


def _order(place: Place) -> tuple[str, int, int, int]:
    line = place.row is None or place.column is None
    return (
        place.array,
        not line,
        -1 if place.row is None else place.row,
        -1 if place.column is None else place.column,
    )


@lru_cache(maxsize=16)
def parse_defects(text: str, source: str = "list of defects") -> DefectList:
    """Check the text of a list; raises `ChipMapError` naming the file, the key, the line and the error."""
    return parse_toml(text, DefectList, source, ChipMapError)


def read_defects(path: Path) -> DefectList | None:
    """Return the list in the file at `path`, None where there is no file; `ChipMapError` where it cannot be read."""
    try:
        check_ordinary(path)
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise ChipMapError(
            f"cannot read the list of defects {path} ({reason}); nothing was changed"
        ) from None
    return parse_defects(text, f"list of defects {path}")


def check_belongs(defects: DefectList, chip: ChipMap, source: str = "the list of defects") -> None:
    """Check that a list is of this chip, and that the chip has all that it names.

    Raises `ChipMapError` for a list of another chip, naming both, or of a cell, line or array that the chip does not
    have.
    """
    if defects.chip != chip.name:
        raise ChipMapError(
            f"{source} is of chip {defects.chip!r}, but the chip map is of {chip.name!r}: name the list of this chip"
        )
    arrays = {array.name: array for array in chip.arrays}
    for one in defects.defects:
        array = arrays.get(one.array)
        if array is None:
            raise ChipMapError(
                f"{source} names {one.place}, but chip {chip.name!r} has no array {one.array!r}; it has "
                f"{', '.join(arrays)}"
            )
        if (one.row or 0) >= array.rows or (one.column or 0) >= array.columns:
            raise ChipMapError(
                f"{source} names {one.place}, which lies outside its {array.rows} x {array.columns} cells"
            )
    for cells in defects.formed:
        array = arrays.get(cells.array)
        if array is None or (array.rows, array.columns) != (cells.rows, cells.columns):
            raise ChipMapError(
                f"{source} has formed cells of an array {cells.array!r} of {cells.rows} x {cells.columns}, which chip "
                f"{chip.name!r} does not have"
            )


def with_defects(chip: ChipMap, defects: DefectList, source: str = "the list of defects") -> ChipMap:
    """Return the chip with the cells and lines of a list among its bad ones; raises as `check_belongs`."""
    check_belongs(defects, chip, source)
    return chip.model_copy(update={"arrays": tuple(_united(array, defects) for array in chip.arrays)})


def _united(array: ArrayMap, defects: DefectList) -> ArrayMap:
    places = [one.place for one in defects.defects if one.array == array.name]
    cells = [(at.row, at.column) for at in places if at.row is not None and at.column is not None]
    rows = [at.row for at in places if at.column is None]
    columns = [at.column for at in places if at.row is None]
    joined = {
        "bad_cells": (*array.bad_cells, *cells),
        "bad_rows": (*array.bad_rows, *rows),
        "bad_columns": (*array.bad_columns, *columns),
    }
    return array.model_copy(update={name: tuple(dict.fromkeys(all_)) for name, all_ in joined.items()})


@lru_cache(maxsize=16)
def chip_with_defects(chip: ChipMap, text: str, source: str = "the list of defects") -> ChipMap:
    """Return the chip with the list of this text, "" for none; raises as `parse_defects` and `check_belongs`."""
    return with_defects(chip, parse_defects(text, source), source) if text else chip


def add_defects(path: Path, new: DefectList) -> tuple[DefectList, int]:
    """Add findings to the list at `path`, which is made where there is none; return it whole, with how many are new.

    The file is replaced in one step by one that has all the old findings, so that no interruption loses any. Two
    processes of mho wait for each other; what an editor has changed meanwhile is read again and kept. Raises
    `ChipMapError`: the file is no list, is one of another chip, or cannot be written; it is then as it was.
    """
    from filelock import FileLock, Timeout  # most who read such a list never change it

    try:
        with FileLock(path.with_name(f".{path.name}.lock"), timeout=BUSY):
            for _ in range(10):
                before = _stamp(path)
                whole, count = _with_new(path, new)
                if _replaced(path, whole.text(), before):
                    return whole, count
    except (Timeout, OSError) as error:
        why = "another process changes it" if isinstance(error, Timeout) else error.strerror
        raise ChipMapError(
            f"cannot write the list of defects {path} ({why}); what was there is as it was"
        ) from None
    raise ChipMapError(f"the list of defects {path} is changed again and again by another program; try later")


def _with_new(path: Path, new: DefectList) -> tuple[DefectList, int]:
    """Return the list at `path` with more findings, and how many are new."""
    old = read_defects(path) or DefectList(chip=new.chip)
    if old.chip != new.chip:
        raise ChipMapError(
            f"the list of defects {path} is of chip {old.chip!r}, and the runs are of {new.chip!r}: choose another "
            "file; nothing was changed"
        )
    try:
        whole = old.merged(new.defects).with_formed(new.formed)
    except ValueError as error:
        raise ChipMapError(f"the list of defects {path}: {error}; nothing was changed") from None
    whole = whole.model_copy(update={"map_sha256": new.map_sha256})
    return whole, len({one.place for one in whole.defects} - {one.place for one in old.defects})


def _replaced(path: Path, text: str, before: tuple[int, int] | None) -> bool:
    """Replace a file in one step, unless it is no longer as it was `before`; return whether this was done."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if _stamp(path) != before:
            return False
        platforms.here.replace(draft, path)
        return True
    finally:
        draft.unlink(missing_ok=True)


def _stamp(path: Path) -> tuple[int, int] | None:
    """Return what tells whether a file was changed; None without one."""
    try:
        now = path.stat()
    except OSError:
        return None
    return now.st_mtime_ns, now.st_size
