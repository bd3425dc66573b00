"""Check whether figures can be drawn from the contents of a layout or a run file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from mho.errors import RunFileError
from mho.runs.figures import MOST_FIGURES, RUNS, Figure


@dataclass(frozen=True)
class Drawable:
    """The tables, maps and arrays of a layout or a file, from which figures can be drawn.

    Attributes
    ----------
    tables : mapping
        For each table its columns' kind of number (as numpy's) and dimensions in a row.
    maps : mapping
        For each map its rows and columns.
    arrays : mapping
        For each array kind of number and dimensions.
    """

    tables: Mapping[str, Mapping[str, tuple[str, int]]] = field(default_factory=dict)
    maps: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    arrays: Mapping[str, tuple[str, int]] = field(default_factory=dict)


def check_figures(figures: Sequence[Figure], drawable: Drawable) -> None:
    """Refuse figures that cannot be drawn from what there is.

    Raises
    ------
    RunFileError
        Naming the figure, what it lacks, and what there is.
    """
    if len(figures) > MOST_FIGURES:
        raise RunFileError(f"{len(figures)} figures are declared; {MOST_FIGURES} is the most")
    seen: set[str] = set()
    for figure in figures:
        if figure.name in seen:
            raise RunFileError(f"figure {figure.name!r} is declared twice; choose another name")
        seen.add(figure.name)
        check_figure(figure, drawable)


def check_figure(figure: Figure, drawable: Drawable) -> None:
    """Refuse a figure that cannot be drawn from what there is; errors as `check_figures`."""
    what = f"figure {figure.name!r}"
    if figure.table == RUNS and RUNS not in drawable.tables:
        return  # parameters and results are its columns, which are known when there are runs
    if figure.table:
        _look_up(what, "table", figure.table, drawable.tables)
        _check_columns(figure, drawable.tables[figure.table])
        if figure.beside:
            _look_up(what, "table", figure.beside, drawable.tables)
            _check_columns(replace(figure, table=figure.beside), drawable.tables[figure.beside])
    elif figure.array:
        _look_up(what, "array", figure.array, drawable.arrays)
        kind, dimensions = drawable.arrays[figure.array]
        _refuse_complex(what, f"array {figure.array!r}", kind)
        wanted = (2,) if figure.drawn_kind in ("map", "correlation") else (1, 2)
        if dimensions not in wanted:
            raise RunFileError(
                f"{what}: array {figure.array!r} has {dimensions} dimensions; a figure of kind {figure.drawn_kind} "
                f"is drawn of {' or '.join(map(str, wanted))}"
            )
    for name in (*figure.maps, *figure.subtrahends, *(figure.groups if figure.maps else ())):
        _look_up(what, "map", name, drawable.maps)
    for beside in (figure.subtrahends, figure.groups if figure.maps else ()):
        for one, other in zip(figure.maps, beside, strict=False):
            if drawable.maps[one] != drawable.maps[other]:
                raise RunFileError(f"{what}: the maps {one!r} and {other!r} are not of the same size")


def _check_columns(figure: Figure, columns: Mapping[str, tuple[str, int]]) -> None:
    what = f"figure {figure.name!r}"
    for name in figure.columns:
        if name not in columns:
            raise RunFileError(
                f"{what}: table {figure.table!r} has no column {name!r}; it has {', '.join(columns) or 'none'}"
            )
        _refuse_complex(what, f"column {name!r}", columns[name][0])
    for axis, scale, names in (
        ("x", figure.x_scale, (figure.x,)), ("y", figure.y_scale, figure.values),
    ):  # fmt: skip
        for name in filter(None, names):
            if scale == "log" and columns[name][0] not in "iuf":
                raise RunFileError(f"{what}: {axis}_scale is log, and column {name!r} holds no quantities")
    shaped = {name for name in figure.columns if columns[name][1]}
    several = shaped - {figure.x, *figure.values}
    if several:
        raise RunFileError(f"{what}: column {min(several)!r} has several values a row, which is no group")
    if shaped and (figure.groups or figure.drawn_kind in ("errorbars", "share", "confusion")):
        raise RunFileError(f"{what}: column {min(shaped)!r} has several values a row; it is drawn row by row")
    if figure.x and figure.values and len({columns[name][1] for name in (figure.x, *figure.values)}) > 1:
        raise RunFileError(f"{what}: x and y must have the same number of values a row")


def _look_up(figure: str, what: str, name: str, there: Mapping[str, object]) -> None:
    if name not in there:
        raise RunFileError(f"{figure}: there is no {what} {name!r}; there is {', '.join(there) or 'none'}")


def _refuse_complex(figure: str, what: str, kind: str) -> None:
    if kind == "c":
        raise RunFileError(f"{figure}: {what} holds complex numbers, which no axis shows")
