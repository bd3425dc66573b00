"""The figures of a run: those that it declares, and for files from before there were any, those that it would have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mho.analysis.figures.values.expressions import Formula
from mho.analysis.reports.cells import read_chip
from mho.errors import RunFileError
from mho.runs import RunFile
from mho.runs.figures import RUNS, Drawable, Figure, ReferenceLine, check_figure
from mho.runs.standard_figures import leading_first, programming_figures

LEADING = 4  # figures that are drawn where none is named: those that a procedure declares first tell the most
_REFINEMENT = {"cycle", "residual", "relative_error"}


def figures_of(run: RunFile) -> tuple[Figure, ...]:
    """Return the figures of a run; those over the table of runs are drawn of several.

    Raises `RunFileError`: the file is damaged.
    """
    own = tuple(one for one in run.figures if one.table != RUNS or RUNS in run.tables)
    return own or _standard(run) or _contents(run)


def figure_of(run: RunFile, name: str) -> Figure:
    """Return one figure of a run by its name: one that it declares, or would have, had it been written today.

    Raises `RunFileError`: there is none of that name.
    """
    result = find_figure(run, name)
    if result is None:
        had = ", ".join(figure.name for figure in figures_of(run))
        raise RunFileError(f"run file {run.path} has no figure {name!r}; it has {had or 'none'}")
    return result


def find_figure(run: RunFile, name: str) -> Figure | None:
    """Return one figure of a run by its name, as `figure_of`; None where there is none."""
    own = (figure for figure in figures_of(run) if figure.name == name)
    return next(own, None) or next((figure for figure in _standard(run) if figure.name == name), None)


def map_figure(name: str) -> Figure:
    """Return a figure of the last image of a map."""
    return Figure(_identifier(name), map=name)


def _standard(run: RunFile) -> tuple[Figure, ...]:
    """Return the figures of a refinement and of programmed cells, as far as a run has what they show."""
    there = run.drawable
    figures: tuple[Figure, ...] = ()
    if set(there.tables.get("cycles", ())) >= _REFINEMENT:
        given = {name: parameter.value for name, parameter in run.parameters.items()}
        bits, tolerance = given.get("bits"), given.get("tolerance")
        precision = bits if isinstance(bits, int) and 0 < bits < 1000 else None
        limit = tolerance if isinstance(tolerance, float) and 0.0 < tolerance < 1.0 else None
        figures = refinement_figures(precision, limit)
    conductances = [name.removesuffix("_conductance") for name in there.maps if name.endswith("_conductance")]
    arrays = [name for name in conductances if f"{name}_target" in there.maps]
    if arrays:
        chip = read_chip(run)
        levels = None if chip is None else chip.level_scale()
        windows = () if levels is None else zip(levels.low.tolist(), levels.high.tolist(), strict=True)
        figures = leading_first(figures, programming_figures(arrays, windows))
    return tuple(one for one in figures if fits(run, one))


def refinement_figures(bits: int | None, tolerance: float | None = None) -> tuple[Figure, ...]:
    """Return the figures of a refinement of one right-hand side, in files from before `Solve` declared its own.

    `bits` are those asked for, `tolerance` is the residual to stop at, where they are known.
    """
    asked = () if bits is None else (bits,)
    errors = [
        ReferenceLine(1.0, ratio=2.0**-3, label="3 bits a cycle"),
        ReferenceLine(1.0, ratio="forecast_rho", label="forecast, rho"),
        *(ReferenceLine(2.0**-one, label=f"{one} bits") for one in asked),
        *([ReferenceLine(tolerance, label="tolerance of the residual")] if tolerance else []),
    ]
    result = [
        ReferenceLine(3.0, power=1.0, label="3 bits a cycle"),
        ReferenceLine("forecast_bits_a_cycle", power=1.0, label="forecast, bits a cycle"),
        *(ReferenceLine(float(one), label=f"{one} bits") for one in asked),
    ]
    return (
        Figure(
            "convergence", table="cycles", x="cycle", y=("residual", "relative_error"), y_scale="log",
            lines=tuple(errors), start=(0.0, 1.0), title="Convergence",
        ),
        Figure(
            "bits_by_cycle", table="cycles", x="cycle", y="bits", lines=tuple(result), start=(0.0, 0.0),
            title="Bits over the cycles",
        ),
        Figure(
            "wrong_by_cycle", kind="share", table="cycles", x="cycle", y=("mvm_wrong", "mvm_outputs"), y_scale="log",
            title="Wrong integers by cycle",
        ),
    )  # fmt: skip


def _contents(run: RunFile) -> tuple[Figure, ...]:
    """Draw the first map and the first table that have something in them, the default one first."""
    maps = [name for name in run.drawable.maps if len(run.map_times(name))]
    tables = [name for name in run.drawable.tables if run.length(name)]
    default = run.default
    maps.sort(key=lambda name: f"maps/{name}" != default)
    tables.sort(key=lambda name: name != default)
    figures = [*map(map_figure, maps[:1]), *(figure_of_table(run, name) for name in tables[:1])]
    return tuple(one for one in figures if fits(run, one))


def figure_of_table(run: RunFile, name: str) -> Figure:
    """Return a figure of a table as its `signal`, `axis` and `series` say."""
    signal, axis = run.plotted(name)
    series, columns = run.series(name), run.drawable.tables[name]
    if axis and columns[axis] != columns[signal] and (columns[axis][1] or columns[signal][1]):
        axis = ""
    cells = ("row", "column") if series and {"row", "column"} <= set(columns) else ()
    by = (*cells, series) if series and not columns[signal][1] else ()
    kind = "lines" if by or columns[signal][1] else "scatter"
    return Figure(_identifier(name), kind=kind, table=name, x=axis, y=signal, by=by)


def drawable_with(run: RunFile, figure: Figure, formulas: Sequence[Formula]) -> Drawable:
    """Return what a figure is drawn from, the columns of formulas among it."""
    return with_formulas(run.drawable_for(figure), figure, formulas)


def with_formulas(there: Drawable, figure: Figure, formulas: Sequence[Formula]) -> Drawable:
    """Return what there is to draw with the columns of formulas in the table of a figure."""
    if not (formulas and figure.table in there.tables):
        return there
    computed = {one.name: ("f", 0) for one in formulas}
    columns = {**there.tables[figure.table], **computed}
    return replace(there, tables={**there.tables, figure.table: columns})


def _identifier(name: str) -> str:
    """Return a name that a figure may have: one in a damaged file may be any."""
    return name if name.isidentifier() and len(name) < 100 else "figure"


def fits(run: RunFile, figure: Figure) -> bool:
    """Return whether a run has the data of a figure."""
    return can_draw(figure, run.drawable_for(figure))


def can_draw(figure: Figure, there: Drawable) -> bool:
    """Return whether a figure can be drawn from what there is."""
    try:
        check_figure(figure, there)
    except RunFileError:
        return False
    return True
