"""A figure as data: what is drawn over what. A layout declares it, the run file keeps it, every renderer draws from it."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from typing import Any

import numpy as np

from mho.errors import RunFileError

# Kinds that draw `y` over `x`; the last one draws median and quartiles of `y` at each `x`
CURVES = ("lines", "scatter", "steps", "errorbars")
COUNTS = ("histogram", "distribution")  # kinds that draw how often the values of `x`, or of a map, occur

# Kinds that draw images: of a map, or of how often a cell that was to hold one level is read as another
IMAGES = ("map", "confusion")
# Kinds of which several runs can be taken together: what they have counted adds up
STATISTICS = ("share", "confusion", "correlation")
KINDS = (*CURVES, *COUNTS, "map", *STATISTICS)
SCALES = ("linear", "log")
SCALED = ("x_scale", "y_scale")
GREY = "grey"
# Scale of a distribution's vertical axis on which a normal distribution is a straight line
PROBABILITY = "probability"
CURVE_FITS, DISTRIBUTION_FITS = ("linear", "log", "exp", "power", "arrhenius"), ("weibull", "lognormal")
FITS = (*CURVE_FITS, *DISTRIBUTION_FITS)
# Names of before, which run files hold and declarations may use
FORMER_FITS = {"line": "linear", "log-log line": "power", "log-time line": "log", "exponential": "exp"}
RUNS = "runs"  # the table of runs: parameters and results are its columns, a run is a row of it
FIGURES = "figures"  # where a run file keeps its declarations
FIGURES_BYTES = 1 << 18  # size of all declarations of a run file at most
MOST_FIGURES, MOST_NAMES, MOST_LINES, LONGEST_TEXT = 64, 64, 256, 200


@dataclass(frozen=True)
class ReferenceLine:
    """A line to compare with. Numbers may be given, or named: of the run's result, and of arrays of one number.

    Attributes
    ----------
    y, x : float, str or None
        Where a horizontal, or a vertical, line lies, in the unit of its axis.
    ratio : float, str or None
        The line is ``y * ratio**x`` instead: what shrinks by the same factor at each step.
    power : float or None
        The line is ``y * x**power`` instead: with 1 a straight line from the origin, of slope `y`; with -1 what falls
        as 1/x.
    label : str
        What the legend calls it; the value of a number that is only named is put behind it.

    Examples
    --------
    >>> mho.ReferenceLine(y="median", label="median").y  # a number of the run's result
    'median'
    """

    y: float | str | None = None
    x: float | str | None = None
    ratio: float | str | None = None
    label: str = ""
    power: float | None = None

    def __post_init__(self) -> None:
        what = f"reference line {self.label!r}"
        _check_text(self.label, "the label of a reference line")
        if (self.x is None) == (self.y is None):
            raise RunFileError(f"{what} needs one of x and y, and not both")
        if self.ratio is not None and self.y is None:
            raise RunFileError(f"{what} has a ratio; it needs y, its value at 0")
        if self.power is not None and (
            self.y is None or self.ratio is not None or not _is_finite(self.power)
        ):
            raise RunFileError(
                f"{what} has a power {self.power!r}; give a finite number and y, its value at 1, and no ratio"
            )
        for name in ("x", "y", "ratio"):
            value = getattr(self, name)
            if isinstance(value, str):
                _check_text(value, f"{name} of {what}")
            elif value is not None and not _is_finite(value):
                raise RunFileError(f"{what}: {name} is {value!r}; give a finite number, or name a result")


@dataclass(frozen=True)
class Band:
    """A shaded range of the horizontal axis, such as a verify window; None leaves a side open.

    Attributes
    ----------
    low, high : float or None
        In the unit of the axis.
    label : str
        What the legend calls it.

    Examples
    --------
    >>> mho.Band(3e-6, None, "LRS").high is None
    True
    """

    low: float | None
    high: float | None
    label: str = ""

    def __post_init__(self) -> None:
        _check_text(self.label, "the label of a band")
        for value in (self.low, self.high):
            if value is not None and not _is_finite(value):
                raise RunFileError(f"band {self.label!r} ends at {value!r}; give a finite number, or None")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise RunFileError(f"band {self.label!r} ends at {self.high:g}, not above {self.low:g}")


@dataclass(frozen=True)
class ReferencePoints:
    """Points to compare with, such as published ones, in the units of the axes.

    Attributes
    ----------
    x, y : tuple of float
        As many of each, in any order.
    label : str
        What the legend calls them: whose they are.

    Examples
    --------
    >>> mho.ReferencePoints((1.0, 2.0), (3.1, 2.9), "published").label
    'published'
    """

    x: tuple[float, ...]
    y: tuple[float, ...]
    label: str = ""

    def __post_init__(self) -> None:
        _check_text(self.label, "the label of reference points")
        what = f"reference points {self.label!r}"
        for values in (self.x, self.y):
            if not isinstance(values, tuple) or len(values) > MOST_LINES or not all(map(_is_finite, values)):
                raise RunFileError(f"{what}: x and y are tuples of at most {MOST_LINES} finite numbers")
        if len(self.x) != len(self.y):
            raise RunFileError(f"{what} have {len(self.x)} x and {len(self.y)} y; give as many of each")


@dataclass(frozen=True)
class Figure:
    """A declared figure. Labels and units come from the columns, maps and arrays.

    Attributes
    ----------
    name : str
        A Python identifier: what ``mho plot --figure`` calls it.
    title : str
        The words above it; by default the name.
    kind : str
        One of `KINDS`. ``lines`` unless said otherwise; ``map`` of maps.
    table, map, array : str, or for maps also a tuple of str
        What it is drawn from; exactly one of them.
    x, y : str; y also a tuple of str
        Columns of the table; of a share, `y` is how many and of how many. Without `x` curves are drawn over the row's
        number. A histogram or distribution is that of `x`. A column with several values a row is drawn row by row.
    by : str or tuple of str
        The columns (maps, where maps are drawn, one for each) that tell groups apart: one curve a cell, a level, a cycle.
        Of a correlation, the median of each group is taken off first.
    minus : str or tuple of str
        Maps to be taken off, one for each of `map`: a difference is drawn, on a scale with zero in the middle.
    x_scale, y_scale : str
        ``linear`` or ``log``, which shows magnitudes; `y_scale` of a distribution may be ``probability``.
    lines : tuple of ReferenceLine
    points : tuple of ReferencePoints
        Drawn over `x` and `y`, by everything that has these two axes.
    bands : tuple of Band
        In a histogram with `by`, a value belongs to the band that holds its group's value, and is marked outside it. Of a
        share or a confusion of maps, the levels.
    start : (x, y), optional
        A known point with which every curve begins.
    colours : str
        ``grey`` of a map that is a picture, from black to white; else of even steps, or around zero.
    equal : bool
        Whether a unit is as long on one axis as on the other, as in a plane.
    beside : str
        Another table with the columns of this one, drawn grey behind the curves: what to compare with, such as the same
        without its cause.
    fit : str
        One of `FITS`, its numbers in the legend. To every curve: ``linear`` y = a + b x; ``log`` y = a + b log10 x;
        ``exp`` y = a exp(b x); ``power`` y = a x**b; ``arrhenius`` y = a exp(-b / kT) over T. To a histogram or
        distribution: ``weibull``, ``lognormal``.

    Raises
    ------
    RunFileError
        The parts do not fit together.

    Examples
    --------
    >>> mho.Figure("decay", table="reads", x="time", y="conductance", by="cell", x_scale="log").y_scale
    'linear'
    """

    name: str
    title: str = ""
    kind: str = ""
    table: str = ""
    map: str | tuple[str, ...] = ()
    array: str = ""
    x: str = ""
    y: str | tuple[str, ...] = ()
    by: str | tuple[str, ...] = ()
    minus: str | tuple[str, ...] = ()
    x_scale: str = "linear"
    y_scale: str = "linear"
    lines: tuple[ReferenceLine, ...] = ()
    bands: tuple[Band, ...] = ()
    start: tuple[float, float] | None = None
    fit: str = ""
    points: tuple[ReferencePoints, ...] = ()
    colours: str = ""
    equal: bool = False
    beside: str = ""

    def __post_init__(self) -> None:
        for fault in itertools.chain(_faulty_parts(self), _misfits(self)):
            raise RunFileError(fault)

    @property
    def drawn_kind(self) -> str:
        """The kind, also where none was given."""
        return self.kind or ("map" if self.maps else "lines")

    @property
    def heading(self) -> str:
        """The words above it."""
        return self.title or self.name.replace("_", " ")

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it is drawn from, each once."""
        return tuple(dict.fromkeys(filter(None, (self.x, *self.values, *self.groups))))

    @property
    def values(self) -> tuple[str, ...]:
        """The columns of `y`."""
        return _names(self.y)

    @property
    def groups(self) -> tuple[str, ...]:
        """The columns or maps of `by`."""
        return _names(self.by)

    @property
    def maps(self) -> tuple[str, ...]:
        """The maps it is drawn from."""
        return _names(self.map)

    @property
    def subtrahends(self) -> tuple[str, ...]:
        """The maps of `minus`."""
        return _names(self.minus)

    @property
    def is_image(self) -> bool:
        """Whether it is drawn as images, not as marks over two axes."""
        return self.drawn_kind in IMAGES

    @property
    def source(self) -> str:
        """The source of the figure, in words."""
        if self.maps:
            return f"map {', '.join(self.maps)}"
        return f"array {self.array}" if self.array else f"table {self.table}"


# The attributes of a figure that are tuples of declarations
PARTS: Mapping[str, type] = {"lines": ReferenceLine, "bands": Band, "points": ReferencePoints}


def fit_kind(name: str) -> str:
    """Return the present name of a fit; any other text as it is."""
    return FORMER_FITS.get(name, name)


def figures_text(figures: Sequence[Figure]) -> str:
    """Return figures as JSON, without what is as by default; `figures_from_text` reads it.

    `RunFileError` where it is longer than a run file holds.
    """
    text = json.dumps(
        [_plain(figure) for figure in figures], ensure_ascii=False, allow_nan=False, default=np.generic.item
    )
    if len(text.encode("utf-8", "backslashreplace")) > FIGURES_BYTES:
        raise RunFileError(f"the figures take {len(text)} characters; {FIGURES_BYTES} is the most")
    return text


def figures_from_text(text: str) -> tuple[Figure, ...]:
    """Return the figures that `figures_text` wrote.

    `ValueError` where it is no such text; `RunFileError` where a figure in it does not fit together.
    """
    if len(text) > FIGURES_BYTES:
        raise ValueError(f"its figures take {len(text)} characters; {FIGURES_BYTES} is the most")
    stored = json.loads(text) if text else []
    if not isinstance(stored, list) or len(stored) > MOST_FIGURES:
        raise ValueError(f"its figures are no list of at most {MOST_FIGURES}")
    return tuple(_figure(one) for one in stored)


def _figure(stored: object) -> Figure:
    given = _fields_of(Figure, stored)
    for name, part in PARTS.items():
        if name in given:
            if not isinstance(given[name], list):
                raise ValueError(f"the {name} of a figure are {type(given[name]).__name__}, no list")
            given[name] = tuple(part(**_tuples(_fields_of(part, one))) for one in given[name])
    return Figure(**_tuples(given))


def _tuples(given: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}


def _fields_of(kind: type, stored: object) -> dict[str, Any]:
    known, needed = (
        [one.name for one in fields(kind)],
        {one.name for one in fields(kind) if one.default is MISSING},
    )
    if not isinstance(stored, dict) or not needed <= set(stored) <= set(known):
        raise ValueError(f"a declaration of its figures is no {kind.__name__} of {', '.join(known)}")
    return dict(stored)


def _plain(declared: Any) -> Any:
    """Return a declaration without what is as by default, its parts too; any other value as it is."""
    if isinstance(declared, tuple):
        return [_plain(one) for one in declared]
    if not is_dataclass(declared):
        return declared
    given = {one.name: getattr(declared, one.name) for one in fields(declared)}
    return {one.name: _plain(given[one.name]) for one in fields(declared) if given[one.name] != one.default}


def _faulty_parts(figure: Figure) -> Iterator[str]:
    """Yield what no reader could hold: types, lengths, numbers that are not finite."""
    if not isinstance(figure.name, str) or not figure.name.isidentifier():
        yield f"the figure name {figure.name!r} is no identifier; use letters, digits and _"
    what = f"figure {figure.name!r}"
    for name in ("name", "title", "kind", "table", "array", "x", *SCALED, "fit", "colours", "beside"):
        _check_text(getattr(figure, name), f"{what}: {name}")
    for name in ("map", "y", "by", "minus"):
        given = _names(getattr(figure, name))
        if not isinstance(given, tuple) or len(given) > MOST_NAMES:
            yield f"{what}: {name} is a name, or a tuple of at most {MOST_NAMES}"
        for one in given:
            _check_text(one, f"{what}: {name}")
    for name, part in PARTS.items():
        given = getattr(figure, name)
        if not isinstance(given, tuple) or len(given) > MOST_LINES:
            yield f"{what}: {name} is a tuple of at most {MOST_LINES}"
        if not all(isinstance(one, part) for one in given):
            yield f"{what}: {name} is a tuple of {part.__name__}"
    start = figure.start
    if start is not None and not (
        isinstance(start, tuple) and len(start) == 2 and all(map(_is_finite, start))
    ):
        yield f"{what}: start is {start!r}; give a point (x, y) of finite numbers"


def _misfits(figure: Figure) -> Iterator[str]:
    """Yield why a kind does not fit what is to be drawn."""
    what, kind = f"figure {figure.name!r}", figure.drawn_kind
    for name, value, known in (
        ("kind", kind, KINDS),
        ("x_scale", figure.x_scale, SCALES),
        ("y_scale", figure.y_scale, (*SCALES, PROBABILITY) if kind == "distribution" else SCALES),
        ("fit", fit_kind(figure.fit) or FITS[0], FITS),
    ):
        if value not in known:
            yield f"{what}: {name} is {value!r}; choose one of {', '.join(known)}"
    if sum(map(bool, (figure.table, figure.maps, figure.array))) != 1:
        yield f"{what} needs exactly one of table, map and array to be drawn from"
    if not figure.table and (figure.x or figure.values):
        yield f"{what}: x and y are columns of a table, and it is drawn from {figure.source}"
    if kind == "map" and figure.table:
        yield f"{what} is of kind map; name a map or an array instead of table {figure.table!r}"
    if kind in CURVES and figure.maps:
        yield f"{what}: maps are drawn as map, histogram or distribution, not as {kind}"
    if kind in COUNTS and figure.table and (figure.values or not figure.x):
        yield f"{what}: a {kind} is that of a column x, and has no y"
    if kind in CURVES and figure.table and not figure.values:
        yield f"{what} names no column y of table {figure.table!r}"
    yield from _uncountable(figure, kind)
    if figure.groups and (figure.array or kind == "map" or (kind == "confusion" and figure.table)):
        yield f"{what}: by tells curves and counts apart, not {figure.source} of kind {kind}"
    for name, beside in (("minus", figure.subtrahends), ("by", figure.groups if figure.maps else ())):
        if beside and len(beside) != len(figure.maps):
            yield f"{what}: {name} names {len(beside)} maps for {len(figure.maps)}"
    fits = CURVE_FITS if kind in CURVES else DISTRIBUTION_FITS if kind in COUNTS else ()
    if figure.fit and fit_kind(figure.fit) not in fits:
        if not fits:
            yield f"{what}: a fit is drawn to curves, not to a {kind}"
        yield f"{what}: fit is {figure.fit!r}; to figures of kind {kind} fits one of {', '.join(fits)}"
    if figure.points and (kind not in (*CURVES, "share") or not figure.table):
        yield f"{what}: reference points are drawn over the x and y of a table, not with a {kind}"
    if figure.colours not in ("", GREY):
        yield f"{what}: colours is {figure.colours!r}; there is {GREY!r}, or none given"
    if figure.colours and kind != "map":
        yield f"{what}: colours are given to a map, not to {kind}"
    if figure.beside and (kind not in CURVES[:3] or not figure.table):
        yield f"{what}: another table is drawn beside the curves of a table, not beside a {kind}"
    if not isinstance(figure.equal, bool):
        yield f"{what}: equal is {figure.equal!r}; give True or False"
    if figure.equal and (kind not in CURVES or not figure.x):
        yield f"{what}: axes are equal where columns x and y span a plane, not in a {kind}"
    if figure.start and kind not in ("lines", "scatter", "steps"):
        yield f"{what}: a start is the first point of curves, and a {kind} has none"
    if figure.is_image and (figure.x_scale, figure.y_scale) != ("linear", "linear"):
        over = "rows and columns" if kind == "map" else "levels"
        yield f"{what}: a {kind} is drawn over its {over}; it has no log axis"


def _uncountable(figure: Figure, kind: str) -> Iterator[str]:
    """Yield why no share, confusion or correlation can be counted."""
    what = f"figure {figure.name!r}"
    if kind in ("share", "confusion"):
        count = 2 if kind == "share" else 1
        if figure.array:
            yield f"{what}: a {kind} is that of a table or of maps, not of an array"
        if figure.table and not (figure.x and len(figure.values) == count):
            columns = "how many, of how many" if kind == "share" else "the level that is read"
            yield f"{what}: a {kind} of a table needs x and {count} y: {columns}"
        if figure.maps and not (figure.groups and figure.bands):
            yield f"{what}: a {kind} of maps needs by, the wanted values, and bands, the levels"
    if kind == "correlation" and figure.table:
        yield f"{what}: a correlation is that of maps or of an array, not of a table"


def _check_text(text: object, what: str) -> None:
    if not isinstance(text, str) or len(text) > LONGEST_TEXT:
        raise RunFileError(f"{what} is no text of at most {LONGEST_TEXT} characters")


def _is_finite(value: object) -> bool:
    """Return whether a value is a finite number and no boolean."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _names(given: str | tuple[str, ...]) -> tuple[str, ...]:
    return ((given,) if given else ()) if isinstance(given, str) else given


@dataclass(frozen=True)
class Drawable:
    """The tables, maps and arrays of a layout or a file, from which figures can be drawn."""

    # for each table its columns' kind of number (as numpy's) and dimensions in a row
    tables: Mapping[str, Mapping[str, tuple[str, int]]] = field(default_factory=dict)
    maps: Mapping[str, tuple[int, int]] = field(default_factory=dict)  # for each map its rows and columns
    # for each array kind of number and dimensions
    arrays: Mapping[str, tuple[str, int]] = field(default_factory=dict)


def check_figures(figures: Sequence[Figure], drawable: Drawable) -> None:
    """Refuse figures that cannot be drawn from what there is.

    `RunFileError` naming the figure, what it lacks, and what there is.
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
    for fault in _undrawable(figure, drawable):
        raise RunFileError(fault)


def _undrawable(figure: Figure, drawable: Drawable) -> Iterator[str]:
    what = f"figure {figure.name!r}"
    if figure.table == RUNS and RUNS not in drawable.tables:
        return  # parameters and results are its columns, which are known when there are runs
    if figure.table:
        _look_up(what, "table", figure.table, drawable.tables)
        yield from _unusable(figure, drawable.tables[figure.table])
        if figure.beside:
            _look_up(what, "table", figure.beside, drawable.tables)
            yield from _unusable(replace(figure, table=figure.beside), drawable.tables[figure.beside])
    elif figure.array:
        _look_up(what, "array", figure.array, drawable.arrays)
        kind, dimensions = drawable.arrays[figure.array]
        _refuse_complex(what, f"array {figure.array!r}", kind)
        allowed = (2,) if figure.drawn_kind in ("map", "correlation") else (1, 2)
        if dimensions not in allowed:
            yield (
                f"{what}: array {figure.array!r} has {dimensions} dimensions; a figure of kind {figure.drawn_kind} "
                f"is drawn of {' or '.join(map(str, allowed))}"
            )
    for name in (*figure.maps, *figure.subtrahends, *(figure.groups if figure.maps else ())):
        _look_up(what, "map", name, drawable.maps)
    for beside in (figure.subtrahends, figure.groups if figure.maps else ()):
        for one, other in zip(figure.maps, beside, strict=False):
            if drawable.maps[one] != drawable.maps[other]:
                yield f"{what}: the maps {one!r} and {other!r} are not of the same size"


def _unusable(figure: Figure, columns: Mapping[str, tuple[str, int]]) -> Iterator[str]:
    what = f"figure {figure.name!r}"
    for name in figure.columns:
        if name not in columns:
            yield f"{what}: table {figure.table!r} has no column {name!r}; it has {', '.join(columns) or 'none'}"
        _refuse_complex(what, f"column {name!r}", columns[name][0])
    for axis, scale, names in (
        ("x", figure.x_scale, (figure.x,)), ("y", figure.y_scale, figure.values),
    ):  # fmt: skip
        for name in filter(None, names):
            if scale == "log" and columns[name][0] not in "iuf":
                yield f"{what}: {axis}_scale is log, and column {name!r} holds no quantities"
    shaped = {name for name in figure.columns if columns[name][1]}
    several = shaped - {figure.x, *figure.values}
    if several:
        yield f"{what}: column {min(several)!r} has several values a row, which is no group"
    if shaped and (figure.groups or figure.drawn_kind in ("errorbars", "share", "confusion")):
        yield f"{what}: column {min(shaped)!r} has several values a row; it is drawn row by row"
    if figure.x and figure.values and len({columns[name][1] for name in (figure.x, *figure.values)}) > 1:
        yield f"{what}: x and y must have the same number of values a row"


def _look_up(figure: str, what: str, name: str, there: Mapping[str, object]) -> None:
    if name not in there:
        raise RunFileError(f"{figure}: there is no {what} {name!r}; there is {', '.join(there) or 'none'}")


def _refuse_complex(figure: str, what: str, kind: str) -> None:
    if kind == "c":
        raise RunFileError(f"{figure}: {what} holds complex numbers, which no axis shows")
