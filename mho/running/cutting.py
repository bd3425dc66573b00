"""Ends the repetition of a run where the run itself was cut short: after the last row that its file holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mho.errors import InputError
from mho.procedures.stream import Stream
from mho.runs import RunFile


class CutShort(Exception):
    """The repetition has come as far as the run that it repeats."""


class Cut:
    """The place at which a run was cut short.

    Parameters
    ----------
    path : Path
        Its file.
    table : str
        The table in which it has all that it did to cells, row by row.

    Attributes
    ----------
    rows : int
        How many rows the file holds of it.
    """

    def __init__(self, path: Path, table: str) -> None:
        self._path, self._table = path, table
        with RunFile(path) as run:
            self.rows = run.length(table)
        self._so_far = 0

    def watch(self, stream: Stream) -> None:
        """Let a stream raise `CutShort` as soon as it has recorded as many rows."""
        stream.record = self._counted(stream.record, lambda values: 1)
        stream.record_block = self._counted(
            stream.record_block, lambda values: len(next(iter(values.values()), ()))
        )

    def check_equal(self, copy: Path) -> None:
        """Raise `InputError` unless the repetition in the file `copy` has the same rows.

        Of a pulse whose verify read was cut short nothing else is known than the pulse.
        """
        with RunFile(self._path) as run, RunFile(copy) as again:
            then, now = run.table(self._table), again.table(self._table)
        known = np.ones(self.rows, bool)
        for values in then.values():
            known &= ~np.isnan(values[: self.rows])
        for name, values in then.items():
            repeated = now[name][: self.rows]
            if len(repeated) < self.rows or not np.array_equal(values[: self.rows][known], repeated[known]):
                raise InputError(
                    f"nothing can go on with the chip of {self._path}: repeated here it comes out differently "
                    f"({self._table}/{name}); `mho rerun` says what has changed since"
                )

    def _counted(
        self, record: Callable[..., None], count: Callable[[Mapping[str, Any]], int]
    ) -> Callable[..., None]:
        def counted(table: str, /, *blocks: Mapping[str, Any], **values: Any) -> None:
            record(table, *blocks, **values)
            if table == self._table:
                self._so_far += count(*blocks) if blocks else count(values)
                if self._so_far >= self.rows:
                    raise CutShort

        return counted
