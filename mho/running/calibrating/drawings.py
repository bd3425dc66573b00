"""Draws checks: what was measured over what was drawn from the preset, a panel a quantity and run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mho.analysis import palette
from mho.analysis.figures import AxisText, Drawing, Mark, plot_panels
from mho.running.calibrating.checks import Check, Checks


def save_checks(checks: Checks, title: str, path: str | os.PathLike[str]) -> Path:
    """Draw the checks that lie along an axis into a picture file; return it.

    Raises
    ------
    InputError
        The picture cannot be written, or has another suffix.
    """
    panels: dict[tuple[str, str], list[Check]] = {}
    for check in checks.checks:
        if np.isfinite(check.quantity.x):
            panels.setdefault((check.run, check.quantity.panel), []).append(check)
    return plot_panels(title, [_panel(some) for some in panels.values()], path)


def _panel(checks: Sequence[Check]) -> Drawing:
    """Return one panel: intervals of the drawn numbers, and the measured ones on them."""
    first = checks[0]
    series = list(dict.fromkeys(one.quantity.what for one in checks))
    marks: list[Mark] = []
    for number, what in enumerate(series):
        some = [one for one in checks if one.quantity.what == what]
        x = np.array([one.quantity.x for one in some])
        middle, low, high = np.array([one.interval for one in some]).T
        colour = palette.SERIES[0] if len(series) == 1 else (palette.SERIES * 2)[(0, 2, 5)[number % 3]]
        name = "drawn, 95 %" if len(series) == 1 else f"drawn, {what}"
        marks.append(Mark("whiskers", name, x, middle, colour, opacity=0.75, low=low, high=high))
        measured = np.array([one.measured for one in some])
        marks.append(
            Mark("points", "measured" if not number else "", x, measured, palette.INK, marker="diamond")
        )
        out = np.array([one.outside for one in some])
        if out.any():
            marks.append(Mark("points", "", x[out], measured[out], palette.OUTSIDE, marker="diamond"))
    outside = [one for one in checks if one.outside]
    if outside:
        marks.append(
            Mark("points", "measured, outside", np.empty(0), np.empty(0), palette.OUTSIDE, marker="diamond")
        )
    q = first.quantity
    held = ", held out" if first.held_out else ""
    return Drawing(
        f"{first.run}{held}: {q.panel}",
        marks=tuple(marks),
        x=AxisText(q.x_name, q.x_unit),
        y=AxisText("G" if q.unit == "S" else q.panel, q.unit),
        x_scale="log" if q.x_unit == "s" else "linear",
        counts=not q.x_unit,
    )
