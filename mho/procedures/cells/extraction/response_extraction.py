"""What a series of pulses tells of the cells: the fitted curve in the units of what was varied, and the coarse SET line."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.levels import Levels
from mho.procedures.cells.extraction.response_curve import (
    Estimated,
    ResponseCurve,
    deviations_from,
    fit_response,
    spread_of,
)

Floats = NDArray[np.float64]

V_WL, V_BL, WIDTH, V_SL = "V_WL", "V_BL", "width", "V_SL"
FINE = 150  # places at which the fit is drawn beside the levels
FEW = 60  # levels up to which they are drawn as points beside that line


@dataclass(frozen=True)
class Analysed:
    """Result of a series.

    Attributes
    ----------
    curve : ResponseCurve or None
        Over log10 of widths (s); of ln(before / after) for a RESET. None where the cells do not respond.
    summary, units : mapping
        Numbers for the run file, and their units.
    places : (n,) array
        Where the curve is drawn, V or s.
    drawn : mapping
        Median, quartiles and fit there, S.
    deviations : (cells,) array
        Mean deviation of each cell from the curve, decades; NaN where it has none.
    """

    curve: ResponseCurve | None
    summary: Mapping[str, Any]
    units: Mapping[str, str]
    places: Floats
    drawn: Mapping[str, Floats]
    deviations: Floats


def analyse(against: str, levels: Floats, before: Floats, after: Floats, scale: Levels) -> Analysed:
    """Fit a series, and extract from the fit.

    Parameters
    ----------
    against : str
        `V_WL`, `V_BL`, `WIDTH` or `V_SL`.
    levels : (points,) array
        V or s, ascending.
    before, after : (cells, repeats, points) arrays
        Conductance before and after each pulse, S.
    scale : Levels
        The chip's levels, which the coarse SET is to reach.
    """
    cells = len(after)
    cell = np.repeat(np.arange(cells), after[0].size if cells else 0)
    x = np.tile(np.log10(levels) if against == WIDTH else levels, after.size // max(len(levels), 1))
    start = float(np.median(before)) if cells else math.nan
    if against == V_SL:
        with np.errstate(invalid="ignore", divide="ignore"):
            y, bottom = np.log(before / after).ravel(), 0.0
    else:
        y, bottom = after.ravel(), start
    y = np.where(np.isfinite(y), y, np.nan)
    curve = fit_response(x, y, cell, bottom) if cells else None
    places, drawn = _drawn(against, levels, after, start, curve)
    deviations = np.full(cells, np.nan)
    summary: dict[str, Any] = {"cells_fitted": cells, "before": start if cells else None}
    units = {"before": "S"}
    if curve is not None:
        used, deviation = deviations_from(curve, x, y)
        spread = spread_of(deviation, cell[used])
        count = np.bincount(cell[used], minlength=cells)
        total = np.bincount(cell[used], deviation, minlength=cells)
        deviations = np.divide(total, count, out=deviations, where=count > 0)
        found, units = _in_units(against, curve, start)
        summary |= found | {"device_spread": spread.device, "cycle_spread": spread.cycle}
        units |= {"before": "S", "device_spread": "decades", "cycle_spread": "decades"}
        if against == V_WL:
            line, of_line = coarse_line(curve, scale)
            summary, units = summary | line, units | of_line
    return Analysed(curve, summary, units, places, drawn, deviations)


def coarse_line(curve: ResponseCurve, scale: Levels) -> tuple[dict[str, Any], dict[str, str]]:
    """Return what the coarse SET of write-verify needs of G(V_WL), and its units.

    ``set_offset + G / set_slope`` is the straight line nearest to the curve at the chip's levels above 0, as far as the
    curve reaches them; `gates_of_levels` is the curve itself there, None where it does not reach.
    """
    levels = scale.nominal[1:]
    gates = [curve.inverse(level) for level in levels.tolist()]
    found: dict[str, Any] = {"gates_of_levels": [gate if math.isfinite(gate) else None for gate in gates]}
    line = curve.line_through(levels)
    if line is not None:
        found |= named("set_offset", line[0]) | named("set_slope", line[1])
    units = {
        f"{name}{end}": unit for name, unit in (("set_offset", "V"), ("set_slope", "S/V")) for end in ENDS
    }
    return found, units | {"gates_of_levels": "V"}


ENDS = ("", "_low", "_high")


def named(name: str, found: Estimated) -> dict[str, float]:
    """Return a number and the ends of its interval by name."""
    return dict(zip((f"{name}{end}" for end in ENDS), (found.value, found.low, found.high), strict=True))


def _in_units(against: str, curve: ResponseCurve, start: float) -> tuple[dict[str, Any], dict[str, str]]:
    """Return threshold, slope and top with their intervals, and their units."""
    threshold, slope, top = curve.threshold, curve.slope, curve.top
    if against == WIDTH:
        threshold = Estimated(*(10.0**value for value in (threshold.value, threshold.low, threshold.high)))
    unit = {WIDTH: "S/decade", V_SL: "1/V"}.get(against, "S/V")
    found: dict[str, Any] = named("threshold", threshold) | named("slope", slope)
    units = {f"threshold{end}": "s" if against == WIDTH else "V" for end in ENDS}
    units |= {f"slope{end}": unit for end in ENDS}
    name = "floor" if against == V_SL else "top"
    units |= {f"{name}{end}": "S" for end in ENDS}
    if top is None:
        found |= {f"{name}{end}": None for end in ENDS}
    elif against == V_SL:
        lowest = Estimated(*(start * math.exp(-value) for value in (top.value, top.high, top.low)))
        found |= named(name, lowest)
    else:
        found |= named(name, top)
    return found, units


def _drawn(
    against: str, levels: Floats, after: Floats, start: float, curve: ResponseCurve | None
) -> tuple[Floats, dict[str, Floats]]:
    """Return places, and median, quartiles and fit there; the first three at the levels only."""
    fine = np.geomspace if against == WIDTH else np.linspace
    places = levels if len(levels) > FEW else np.unique([*levels, *fine(levels[0], levels[-1], FINE)])
    drawn = {
        name: np.full(len(places), np.nan) for name in ("median", "lower_quartile", "upper_quartile", "fit")
    }
    if after.size:
        at = np.searchsorted(places, levels)
        for name, share in (("median", 0.5), ("lower_quartile", 0.25), ("upper_quartile", 0.75)):
            drawn[name][at] = np.nanquantile(after, share, axis=(0, 1))
    if curve is not None:
        fitted = curve(np.log10(places) if against == WIDTH else places)
        drawn["fit"] = start * np.exp(-fitted) if against == V_SL else fitted
    return places, drawn
