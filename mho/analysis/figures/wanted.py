"""What is to be drawn over runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FigureRequest:
    """What is to be drawn over runs.

    Attributes
    ----------
    figure : str
        Name of a declared figure; "" for all of the first run.
    by : tuple of str
        Facts, parameters or results by which runs are grouped.
    panels, ratio : bool
        As of `mho.analysis.figures.over_runs.comparing.compare`.
    x, y : str
        Other columns of the figure's table; without a figure parameters, results or formulas, a point a run.
    formulas : tuple of str
        ``NAME = EXPRESSION`` each.
    fit : str
        One of `mho.runs.figures.FITS`.
    width : float or None
        Of the sheet, mm, in the sizes of a paper; None for one to look at.
    """

    figure: str = ""
    by: tuple[str, ...] = ()
    panels: bool = False
    ratio: bool = False
    x: str = ""
    y: str = ""
    formulas: tuple[str, ...] = ()
    fit: str = ""
    width: float | None = None
