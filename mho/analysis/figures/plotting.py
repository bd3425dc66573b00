"""Draws run files into a picture file, or for a notebook; `mho.analysis.figures.sheet`, which does it, is loaded then."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack

from mho.analysis.figures.request import FigureRequest
from mho.analysis.reports.quantities import handy_unit
from mho.errors import InputError
from mho.runs import RunFile
from mho.whole_files import whole_file

if TYPE_CHECKING:
    from mho.analysis.figures.marks import Drawing
    from mho.analysis.figures.sheet import Sheet

FORMATS: dict[str, Literal["png", "svg", "pdf"]] = {".png": "png", ".svg": "svg", ".pdf": "pdf"}
MOST_RUNS = 64  # run files laid over one another; more are pooled
WIDTHS = {"column": 85.0, "full": 178.0}
NARROWEST, WIDEST = 40.0, 400.0  # widths of a figure for a paper, mm

RunPath = str | os.PathLike[str]
Names = str | Sequence[str]


class FigureOptions(TypedDict, total=False):
    """What `draw` and `plot` take beside the name of a figure, see `draw`."""

    by: Names
    panels: bool
    ratio: bool
    x: str
    y: str
    formula: Names
    fit: str
    every: bool
    width: str | float | None


def draw(*paths: RunPath, figure: str = "", **options: Unpack[FigureOptions]) -> Sheet:
    """Draw the declared figures of a run, or of many, as Matplotlib's figure, for a notebook or to work on.

    Without `by`, few runs are laid over one another, one colour a run. With it, runs are grouped, and each group is its
    median with the band between the quartiles of its runs.

    Parameters
    ----------
    paths : path
        Run files, or folders that hold some; of several, the first one's figures are drawn over all of them.
    figure : str
        Name of one figure; without it the leading ones, the first four that the run declares.
    by : str or sequence of str
        What runs are grouped by: a fact (preset, bench, chip, host, procedure, status, run, ...), a parameter or a result,
        as in ``mho runs --where``; several names in one text are separated by commas. Runs that differ in their seed
        alone are one group then.
    panels : bool
        One panel a group, with the same axes, instead of all in one.
    ratio : bool
        Below curves, their ratio to the first group at equal x.
    x, y : str
        With `figure` other columns of its table. Without it, parameters, results or formulas of them: a point a run, with
        quartiles where several runs lie at one x.
    formula : str or sequence of str
        New columns, ``G = I / V``, of the table's columns and the run's results and parameters; units are checked. Without
        `x` and `y` the last one is drawn.
    fit : str
        ``linear``, ``log``, ``exp``, ``power`` or ``arrhenius`` to curves, ``weibull`` or ``lognormal`` to histograms and
        distributions; numbers with 95 % intervals and how good it is stand below the figure.
    every : bool
        Without `figure`, draw all that the run declares, not the leading ones alone.
    width : str or float, optional
        ``column`` (85 mm), ``full`` (178 mm) or mm: a figure for a paper, with letters of 7 to 8.5 points.

    Returns
    -------
    matplotlib.figure.Figure
        Not registered with pyplot; at the end of a notebook's cell it shows itself.

    Raises
    ------
    RunFileError
        A run file is missing, no run file, or damaged, or has no such figure; with any of the options after `figure`, only
        where no run has it.
    InputError
        No file is named or found, a name is unknown, or a formula, fit or width cannot be used.

    Examples
    --------
    >>> result = mho.run(mho.Read(rows="0:4", columns="0:4"), "arrays", seed=1)
    >>> len(mho.draw(result.path).axes) > 0
    True
    """
    return _drawn(paths, _request(figure, **options))[0]


def plot(
    path: RunPath | Sequence[RunPath],
    output: RunPath | None = None,
    figure: str = "",
    *,
    on_skipped: Callable[[str, str], object] | None = None,
    **options: Unpack[FigureOptions],
) -> Path:
    """Draw the declared figures of the run file at `path` into a picture file.

    Parameters
    ----------
    path : path, or sequence of paths
        As of `draw`; what a run does not hold (yet) is said in the panel's place.
    output : path, optional
        Picture (``.png``, ``.svg`` or ``.pdf``) or a folder; a picture of that name is replaced. By default beside the
        first run file, ``<run>.png``, or ``<run>-<figure>.png``; of a folder, in it, named as it is.
    figure : str
        Name of one figure; without it the leading ones, as of `draw`.
    on_skipped : callable, optional
        Called with path and reason of each file that cannot be read and is left out.
    **options
        ``by=``, ``width=`` and the others of `draw`. With a `width`, letters stay letters in a vector picture.

    Returns
    -------
    Path
        The picture.

    Raises
    ------
    RunFileError
        As `draw`.
    InputError
        As `draw`; or `output` has another suffix, or cannot be written.

    Examples
    --------
    >>> result = mho.run(mho.Read(rows="0:4", columns="0:4"), "arrays", seed=1)
    >>> mho.plot(result.path, "read.svg").name
    'read.svg'
    """
    paths = [path] if isinstance(path, str | os.PathLike) else list(path)
    if not paths:
        raise InputError("no run file is named; name at least one")
    request = _request(figure, **options)
    target = _target(Path(paths[0]), None if output is None else Path(output), figure)
    drawn, skipped = _drawn(paths, request)
    for file, reason in skipped:
        if on_skipped is not None:
            on_skipped(file, reason)
    from mho.analysis.figures.sheet import save

    form, text = FORMATS[target.suffix.lower()], request.width is not None
    _save(target, lambda draft: save(drawn, draft, form, text=text))
    return target


def _request(
    figure: str, by: Names = "", panels: bool = False, ratio: bool = False, x: str = "", y: str = "",
    formula: Names = (), fit: str = "", every: bool = False, width: str | float | None = None,
) -> FigureRequest:  # fmt: skip
    """Return what is asked for, once it is checked."""
    names = tuple(filter(None, map(str.strip, by.split(",")))) if isinstance(by, str) else tuple(by)
    formulas = ((formula,) if formula else ()) if isinstance(formula, str) else tuple(formula)
    return FigureRequest(figure, names, panels, ratio, x, y, formulas, fit, every, _millimetres(width))


def _millimetres(width: str | float | None) -> float | None:
    """Return the width of a figure for a paper, mm; None for one to look at."""
    if width is None or width == "":
        return None
    try:
        given = WIDTHS[width] if width in WIDTHS else float(width)
    except (TypeError, ValueError):
        given = math.nan
    if not NARROWEST <= given <= WIDEST:
        raise InputError(
            f"width {width} is not one; give {', '.join(WIDTHS)}, or {NARROWEST:g} to {WIDEST:g} mm"
        )
    return given


def _drawn(paths: Sequence[RunPath], request: FigureRequest) -> tuple[Sheet, list[tuple[str, str]]]:
    """Return the sheet, and path and reason of each file that is left out."""
    if not paths:
        raise InputError("0 run files are named; name at least one, or a folder that holds some")
    files: Sequence[RunPath] = paths
    if any(os.path.isdir(path) for path in paths):
        from mho.analysis.reports.collection import find_runs

        files = list(find_runs(*paths))
    plain = request == FigureRequest(request.figure, every=request.every) and 0 < len(files) <= MOST_RUNS
    if plain and request.figure:
        from mho.analysis.figures.over_runs.standard_set import over_table

        with RunFile(files[0]) as run:
            plain = over_table(run, request.figure) is None
    if not plain:
        from mho.analysis.figures.over_runs.drawing_runs import draw_over_runs

        sheet, skipped = draw_over_runs(paths, request)
        return sheet, [(str(one.path), one.reason) for one in skipped]
    with ExitStack() as stack:
        runs = [stack.enter_context(RunFile(path)) for path in files]
        from mho.analysis.figures.sheet import draw_runs  # Matplotlib takes its time

        return draw_runs(runs, request.figure, every=request.every), []


def plot_panels(title: str, drawings: Sequence[Drawing], output: RunPath) -> Path:
    """Draw figures that are made of marks already into a picture file, as `plot` does those of a run; return it."""
    target = check_picture(output)
    from mho.analysis.figures.sheet import draw_panels, save

    drawn = draw_panels(title, drawings)
    _save(target, lambda draft: save(drawn, draft, FORMATS[target.suffix.lower()]))
    return target


View = tuple[tuple[float, float], tuple[float, float]]


def plot_drawing(
    drawing: Drawing, output: RunPath, title: str = "", width: str | float | None = None, view: View | None = None,
    *, simulated: bool = False,
) -> Path:  # fmt: skip
    """Draw a figure that is made of marks or images already into a picture file; return it.

    Parameters
    ----------
    drawing : Drawing
    output : path
        As of `plot`; a picture of that name is replaced.
    title : str
        Above it, without a `width`.
    width : str or float, optional
        As of `draw`.
    view : ((low, high), (low, high)), optional
        Ends of the axes x and y, in SI units; all that there is otherwise.
    simulated : bool
        Whether the picture says that what it shows was measured on a virtual bench.

    Raises
    ------
    InputError
        The picture or the width cannot be one.
    """
    target, size = check_picture(output), _millimetres(width)
    from mho.analysis.figures.over_runs.groups_of_runs import GroupedFigure
    from mho.analysis.figures.over_runs.layout import draw_compared
    from mho.analysis.figures.sheet import save

    alone = GroupedFigure(drawing.title, drawing.note, (replace(drawing, note=""),), fits=drawing.fits)
    drawn = draw_compared(title, [alone], size, simulated=simulated)
    if view is not None and not drawing.images and drawn.axes:
        (x, _), (y, _) = handy_unit(drawing.x.unit), handy_unit(drawing.y.unit)
        drawn.axes[0].set_xlim(x * view[0][0], x * view[0][1])
        drawn.axes[0].set_ylim(y * view[1][0], y * view[1][1])
    _save(target, lambda draft: save(drawn, draft, FORMATS[target.suffix.lower()], text=size is not None))
    return target


def check_picture(output: RunPath) -> Path:
    """Return the path of a picture, or raise `InputError` where it cannot be one: before the work, not after."""
    target = Path(output)
    if target.suffix.lower() not in FORMATS:
        raise InputError(_no_picture(target))
    if target.is_dir() or not (target.parent.is_dir() and os.access(target.parent, os.W_OK)):
        raise InputError(
            f"picture {target} cannot be written; name a file in a folder that is there and yours"
        )
    return target


def _save(target: Path, save: Callable[[Path], None]) -> None:
    with whole_file(target, "picture") as draft:
        target.parent.mkdir(parents=True, exist_ok=True)
        save(draft)


def _no_picture(output: Path) -> str:
    return f"picture {output} has suffix {output.suffix or 'none'!r}; name one ending in .png, .svg or .pdf"


def _target(run: Path, output: Path | None, figure: str) -> Path:
    stem = run.resolve().name if run.is_dir() else run.stem
    name = f"{stem}-{figure}.png" if figure.isidentifier() else f"{stem}.png"
    if output is None:
        return run / name if run.is_dir() else run.with_name(name)
    if output.is_dir():
        return output / name
    if output.suffix.lower() not in FORMATS:
        raise InputError(_no_picture(output))
    return output
