"""Base of procedures on the cells at the crossings of some rows and columns of one array."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from mho.array_types import Floats
from mho.chip_maps.chip import ChipMap
from mho.errors import InputError
from mho.instruments import Bench
from mho.instruments.bench_file import Operation
from mho.procedures.base import Procedure, Result
from mho.procedures.cell_range import CellRange, check_inside
from mho.procedures.chip_in_use import chip_of
from mho.procedures.parameters import Parameter
from mho.procedures.stream import Stream
from mho.runs import Column, Map

TIME = Column("time", "s", description="bench time of the read")
PLACE = (Column("row", dtype="u2"), Column("column", dtype="u2"))


class CellProcedure(Procedure[Result]):
    """A procedure on a range of cells; `rows` and `columns` are declared again where others are the default."""

    group: ClassVar[str] = "Cells"
    leading: ClassVar[tuple[str, ...]] = ("array", "rows", "columns")
    run_words: ClassVar[str] = ""
    """Title of a run, as ``Read {cells} {repeats} times``: with the cells and parameters; the procedure's unless given."""
    may_need: ClassVar[Mapping[Operation, str]] = {"select": "where there is more than one cell"}
    without_blanks: ClassVar[tuple[str, ...]] = ()
    """Versions of before that formed no cells first and took no blank readings."""

    array = Parameter("Array", default="multiply")
    rows = Parameter("Rows", default="0:8")
    columns = Parameter("Columns", default="0:8")

    @classmethod
    def from_version(cls, version: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Form nothing and take no blanks, as the versions did that are `without_blanks`."""
        absent = {"forming": "no", "blanks": 0} if version in cls.without_blanks else {}
        return dict(values) | {name: value for name, value in absent.items() if hasattr(cls, name)}

    def check(self) -> Any:
        """Parse the ranges."""
        return CellRange.parse(self.rows, self.columns)

    def needed(self) -> tuple[Operation, ...]:
        """Return `needs`, and `select` where there is more than one cell."""
        cells = CellRange.parse(self.rows, self.columns)
        return (*type(self).needs, *(("select",) if cells.count > 1 else ()))

    def run_title(self) -> str:
        """Return `run_words` with the cells and the parameters, or the title."""
        values = {name: getattr(self, name) for name in self.form()} | {"cells": self.describe_cells(None)}
        return self.run_words.format(**values) or super().run_title()

    def describe_cells(self, plan: Any) -> str:
        """Return array and ranges."""
        return f"{self.array}[{self.rows}, {self.columns}]"

    def check_count(self, count: int, most: int, what: str, advice: str) -> None:
        """Raise `InputError` for more of something than a run may have, with advice."""
        if count > most:
            raise InputError(f"{count:,} {what} are more than the {most:,} a run may have; {advice}")

    def value_or(self, name: str, default: float) -> float:
        """Return the value of a parameter, `default` where none was given."""
        value = getattr(self, name)
        return default if value is None else float(value)

    def readable_chip(self, bench: Bench, cells: CellRange) -> ChipMap:
        """Return the chip after checking that the array has these cells and that the bench may read them."""
        chip = chip_of(bench)
        check_inside(chip.array(self.array), cells)
        bench.check_read()
        return chip

    def check_read_voltage(self) -> None:
        """Raise `InputError` for a ``read_voltage`` at which no current flows."""
        if getattr(self, "read_voltage", None) == 0.0:
            raise InputError(
                "read_voltage is 0 V, at which no current flows; leave it out for the bench's own"
            )

    def maps(self, cells: CellRange, *named: tuple[str, str, str], images: int = 2) -> tuple[Map, ...]:
        """Declare maps of the cells, by name, unit and title, for about so many images each."""
        lines = np.sort(cells.rows), np.sort(cells.columns)
        return tuple(
            Map(f"{self.array}_{name}", unit, *lines, f"{self.array}: {title}", images)
            for name, unit, title in named
        )

    def snapshot(self, stream: Stream, bench: Bench, cells: CellRange, **images: Floats) -> None:
        """Store an image of each of some `maps`, by name, (rows, columns) or flat in the order of the visits."""
        for name, values in images.items():
            image = cells.ascending(values.reshape(cells.shape))
            stream.snapshot(f"{self.array}_{name}", image, bench.now())
