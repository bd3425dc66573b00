"""Draws a budget: the share of every cause in the squared error, and the error that remains when it is mended."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from mho.analysis import palette
from mho.analysis.figures import AxisText, Drawing, Mark, ReferenceLevel, plot_panels
from mho.running.budget.budgets import Budget

SMALLEST = 1e-3  # of the measured error: less is not drawn


def save_budget(budget: Budget, path: str | os.PathLike[str]) -> Path:
    """Draw a budget into a picture file; return it.

    `InputError` where the picture cannot be written, or has another suffix.
    """
    title = f"{budget.title}, {budget.error}: {budget.measured:.3g}"
    return plot_panels(title, [shares_drawing(budget), errors_drawing(budget)], path)


def shares_drawing(budget: Budget) -> Drawing:
    """Return the bars of all shares, in per cent, the largest at the top; what no cause explains is below."""
    others = _others(budget)
    count = len(budget.shares) + len(others)
    y = np.arange(count, dtype=np.float64)[::-1]
    marks = []
    first = budget.first
    for number, one in enumerate(budget.shares):
        mended = one is first
        marks.append(
            Mark(
                "rows", "to be mended first" if mended else "", np.array([100.0 * one.share]),
                y[number : number + 1], palette.OUTSIDE if mended else palette.INSIDE,
                low=np.array([100.0 * one.low]), high=np.array([100.0 * one.high]),
            )
        )  # fmt: skip
    if others:
        values = np.array([100.0 * share for _, share in others])
        marks.append(Mark("rows", "", values, y[len(budget.shares) :], palette.FAINT))
    names = [f"{one.cause} ({one.acts})" if one.acts else one.cause for one in budget.shares]
    names += [name for name, _ in others]
    return Drawing(
        "Shares of the causes", marks=tuple(marks), levels=(ReferenceLevel("", x=0.0),),
        x=AxisText("share of the squared error (%)"), names=tuple(reversed(names)),
    )  # fmt: skip


def errors_drawing(budget: Budget) -> Drawing:
    """Return the error with each cause alone, and with each mended, beside the measured one."""
    names = [one.cause for one in budget.shares] + [""] * len(_others(budget))  # at the heights of the shares
    y = np.arange(len(names), dtype=np.float64)[::-1][: len(budget.shares)]
    alone = np.array([one.alone for one in budget.shares])
    mended = np.array([one.mended for one in budget.shares])
    drawn = alone > SMALLEST * budget.measured
    return Drawing(
        "Relative error",
        marks=(
            Mark(
                "points", "if only this were there", alone[drawn], y[drawn], palette.SERIES[6],
                marker="circle",
            ),
            Mark("points", "if this were mended", mended, y, palette.FORECAST, marker="diamond"),
        ),
        levels=(ReferenceLevel("measured", x=budget.measured),),
        x=AxisText("relative error"),
        x_scale="log",
        names=tuple(reversed(names)),
    )  # fmt: skip


def _others(budget: Budget) -> list[tuple[str, float]]:
    """Return what of the error is no cause's: of the encoding, and what the twin does not have."""
    result = [("encoding", budget.rest), ("not explained", budget.unexplained)]
    return [(name, share) for name, share in result if abs(share) >= 5e-4]
