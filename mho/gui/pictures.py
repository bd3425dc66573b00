"""The maps of a run as pictures: values in a handy unit, the numbers of their lines, bytes. It does not use Qt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.analysis.figures import signed_extent
from mho.analysis.reports import handy_unit
from mho.array_types import Floats
from mho.runs import RunFile

NO_CELL = 255
"""Byte of a pixel without a value; values take 0 to 254."""


@dataclass(frozen=True)
class RunPicture:
    """One map at one time.

    Attributes
    ----------
    name : str
        As `picture_names` lists it.
    values : (r, c) array
        In `unit`; NaN where no cell is in use.
    unit : str
        A handy one, such as µS.
    rows, columns : (r,), (c,) array of int
        Physical line numbers.
    signed : bool
        Whether zero is the middle of the colour scale.
    """

    name: str
    values: Floats
    unit: str
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    signed: bool

    @property
    def limits(self) -> tuple[float, float]:
        """Values at the ends of the colour scale."""
        return limits_of(self.values, self.signed)

    def pixels(self) -> NDArray[np.uint8]:
        """Values scaled to bytes 0 to 254, and `NO_CELL`: drawn three times as fast as floats."""
        return to_bytes(self.values, self.limits)

    def describe(self, row: int, column: int) -> str:
        """Describe the value at image indices `row`, `column`; empty outside the image."""
        if not (0 <= row < len(self.rows) and 0 <= column < len(self.columns)):
            return ""
        place = f"row {self.rows[row]}, column {self.columns[column]}"
        value = self.values[row, column]
        return f"{place}: {value:.4g} {self.unit}".rstrip() if np.isfinite(value) else f"{place}: no value"


def limits_of(values: Floats, signed: bool) -> tuple[float, float]:
    """Return the ends of a colour scale for values: around zero where it is `signed`, else from zero or below."""
    known = values[np.isfinite(values)]
    if not known.size:
        return (-1.0, 1.0) if signed else (0.0, 1.0)
    if signed:
        extent = signed_extent(known)
        return -extent, extent
    low, high = min(0.0, float(known.min())), float(known.max())
    return low, high if high > low else low + 1.0


def to_bytes(values: Floats, limits: tuple[float, float]) -> NDArray[np.uint8]:
    """Return values scaled from `limits` to bytes 0 to 254, and `NO_CELL` for NaN."""
    low, high = limits
    # In this order: the scale may be as short as the least float
    scaled = (values - low) / (high - low) * (NO_CELL - 1)
    np.clip(np.rint(scaled, out=scaled), 0.0, NO_CELL - 1.0, out=scaled)
    scaled[~np.isfinite(values)] = NO_CELL
    return scaled.astype(np.uint8)


def picture_names(run: RunFile) -> tuple[str, ...]:
    """Return the maps of `run`, and ``<array>_error`` wherever there are conductance and target."""
    names: list[str] = []
    for name in run.maps:
        names.append(name)
        array = name.removesuffix("_target")
        if array != name and f"{array}_conductance" in run.maps and f"{array}_error" not in run.maps:
            names.append(f"{array}_error")
    return tuple(names)


def sources(run: RunFile, name: str) -> tuple[str, ...]:
    """Return the maps in the file from which picture `name` is made."""
    if name in run.maps:
        return (name,)
    array = name.removesuffix("_error")
    return f"{array}_conductance", f"{array}_target"


def first_choice(run: RunFile) -> str:
    """Return the picture to show first: the largest conductance map, else the first map; empty without maps."""
    names = [name for name in run.maps if name.endswith("_conductance")] or list(run.maps)[:1]
    return max(names, key=lambda name: np.prod([len(axis) for axis in run.map_axes(name)]), default="")


def read_picture(run: RunFile, name: str) -> RunPicture:
    """Return the latest image of picture `name`, NaN everywhere before there is one; `RunFileError` for a damaged file."""
    maps = sources(run, name)
    rows, columns = run.map_axes(maps[0])
    factor, unit = handy_unit(run.map_unit(maps[0]))
    images = [
        run.map(each) if len(run.map_times(each)) else np.full((len(rows), len(columns)), np.nan)
        for each in maps
    ]
    values = images[0] if len(images) == 1 else images[0] - images[1]
    return RunPicture(name, factor * values, unit, rows, columns, signed=name.endswith("_error"))
