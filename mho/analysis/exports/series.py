"""The contents of a run file, series by series and block by block, so that an export needs little memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
from numpy.typing import NDArray

from mho.runs import RunFile, outcome_line
from mho.runs.reading import check_array, check_map, check_table, intact, is_table, items_of

BLOCK_BYTES = 8 << 20  # of one series that is in memory at a time


@dataclass(frozen=True)
class ExportedSeries:
    """One dataset: a column of a table, an axis or the values of a map, an array."""

    name: str
    unit: str
    description: str
    dataset: h5py.Dataset
    length: int  # entries along the first axis, the same for all series of a group

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape, cut to `length`."""
        return (self.length, *self.dataset.shape[1:]) if self.dataset.shape else ()

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        dtype: np.dtype[Any] = self.dataset.dtype
        return dtype

    @property
    def block_rows(self) -> int:
        """Rows that make up `BLOCK_BYTES`."""
        return max(1, BLOCK_BYTES // max(1, self.dtype.itemsize * int(np.prod(self.shape[1:]))))

    def read(self, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """Return rows `start` to `stop`; raises `RunFileError` where the file is damaged."""
        end = self.length if stop is None else min(stop, self.length)
        with intact(Path(self.dataset.file.filename)):
            return np.asarray(self.dataset[start:end] if self.dataset.shape else self.dataset[()])

    def blocks(self) -> Iterator[tuple[int, NDArray[Any]]]:
        """Yield first row and values of each block."""
        if not self.shape:
            yield 0, self.read()
            return
        for start in range(0, self.length, self.block_rows):
            yield start, self.read(start, start + self.block_rows)


@dataclass(frozen=True)
class SeriesGroup:
    """A table, a map (series ``time``, ``row``, ``column``, ``value``) or an array (``value``)."""

    kind: Literal["table", "map", "array"]
    name: str
    title: str
    series: tuple[ExportedSeries, ...]

    def __getitem__(self, name: str) -> ExportedSeries:
        return next(one for one in self.series if one.name == name)


_CHECKS: dict[str, Callable[[h5py.HLObject], None]] = {
    "table": check_table, "map": check_map, "array": check_array,
}  # fmt: skip


def run_facts(run: RunFile) -> dict[str, str]:
    """Return what every export says of a run: what it is, when it was, how it ended."""
    end, conclusion = run.end_time, run.conclusion
    return {
        "title": run.title, "procedure": run.procedure, "status": str(run.status), "reason": run.reason,
        "conclusion": outcome_line(run.status, run.reason, conclusion, named=False),
        "warnings": "\n".join(() if conclusion is None else conclusion.warnings),
        "start": run.start_time.isoformat(), "end": "" if end is None else end.isoformat(),
    }  # fmt: skip


def read_contents(file: h5py.File) -> tuple[SeriesGroup, ...]:
    """Return the tables, maps and arrays of an open run file, as they stand now.

    Raises `RunFileError`: the file is damaged.
    """
    with intact(Path(file.filename)):
        entry = file["entry"]
        tables = [(name, item) for name, item in items_of(entry) if is_table(item)]
        return (
            *(_group("table", name, item) for name, item in tables),
            *(_group("map", name, item) for name, item in items_of(entry["maps"])),
            *(_group("array", name, item) for name, item in items_of(entry["arrays"])),
        )


def _group(kind: Literal["table", "map", "array"], name: str, item: h5py.Group | h5py.Dataset) -> SeriesGroup:
    _CHECKS[kind](item)
    # Until schema 1 an array was a dataset by itself.
    datasets = {"value": item} if isinstance(item, h5py.Dataset) else dict(items_of(item))
    together = [one for one in datasets if kind == "table" or (kind == "map" and one in ("time", "value"))]
    common = min((len(datasets[one]) for one in together), default=0)
    series = tuple(
        ExportedSeries(
            one,
            str(dataset.attrs.get("units", "")),
            str(dataset.attrs.get("long_name", "")),
            dataset,
            common if one in together else (len(dataset) if dataset.shape else 1),
        )
        for one, dataset in datasets.items()
    )
    return SeriesGroup(kind, name, str(item.attrs.get("title", name)), series)
