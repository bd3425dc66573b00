"""What is to be drawn over runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FigureRequest:
    """What is to be drawn over runs."""

    figure: str = ""  # name of a declared figure; "" for the leading ones of the first run
    by: tuple[str, ...] = ()  # facts, parameters or results by which runs are grouped
    panels: bool = False  # as of `mho.analysis.figures.over_runs.comparing.compare`
    ratio: bool = False  # likewise
    x: str = ""  # another column of the figure's table; without a figure a parameter, result or formula
    y: str = ""  # likewise
    formulas: tuple[str, ...] = ()  # ``NAME = EXPRESSION`` each
    fit: str = ""  # one of `mho.runs.figures.FITS`
    every: bool = False  # all figures of the first run, not the leading ones alone
    width: float | None = None  # of the sheet, mm, in the sizes of a paper; None for one to look at
