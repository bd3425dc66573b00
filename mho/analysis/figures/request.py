"""What is to be drawn over runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FigureRequest:
    """What is to be drawn over runs."""

    figure: str = ""  # name of a declared figure; "" for all of the first run
    by: tuple[str, ...] = ()  # facts, parameters or results by which runs are grouped
    # panels, ratio: as of `mho.analysis.figures.over_runs.comparing.compare`
    panels: bool = False
    ratio: bool = False
    # x, y: other columns of the figure's table; without a figure parameters, results or formulas, a point a
    # run
    x: str = ""
    y: str = ""
    formulas: tuple[str, ...] = ()  # ``NAME = EXPRESSION`` each
    fit: str = ""  # one of `mho.runs.figures.FITS`
    width: float | None = None  # of the sheet, mm, in the sizes of a paper; None for one to look at
