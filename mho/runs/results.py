"""What a run has come to, in its user's hands: values with units, a short text, a page in a notebook, xarray.

`ResultViews` is what every result offers. `ResultMapping` is that of a procedure which returns a mapping; a user's own
dataclass gets it by `returned`; those of mho's procedures are classes of their own.
"""

from __future__ import annotations

import dataclasses
import textwrap
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mho.errors import InputError, nearest, needing
from mho.escaping import html

if TYPE_CHECKING:
    import xarray

MOST_LINES, WIDTH = 10, 110  # of the text of a result
MOST_ROWS = 40  # of its page in a notebook
FEW = 4  # numbers that are shown one by one
LONGEST_WORD = 40


_BESIDE = (
    "summary",
    "path",
    "units",
    "summary_units",
    "dims",
)  # fields of a result that are no values by themselves


class ResultViews:
    """What every result offers beside its values: `path`, `units`, a short text, a page in a notebook, `to_xarray`.

    Two results are equal when all their values are: arrays as a whole, NaN like NaN.
    """

    path: Path | None = None

    @cached_property  # which a class may have as a field, or for all its instances
    def units(self) -> Mapping[str, str]:
        """SI unit by name, of what has one; of what lies in a mapping by ``NAME.KEY``."""
        return {name: unit for name, _, unit in _quantities(self._values()) if unit}

    @cached_property
    def dims(self) -> Mapping[str, tuple[str, ...]]:
        """What the axes of an array stand for, by its name (of one with fewer the first); of others they are numbered."""
        return {}

    def _values(self) -> Mapping[str, Any]:
        """Return the values by name, which may be numbers, text, arrays, lists, mappings and dataclasses of them."""
        assert dataclasses.is_dataclass(self)
        own = {
            one.name: getattr(self, one.name) for one in dataclasses.fields(self) if one.name not in _BESIDE
        }
        summary = getattr(self, "summary", {})
        return own | {name: value for name, value in summary.items() if name not in own}

    def _quantities(self) -> Iterator[tuple[str, Any, str]]:
        units = {"wall_seconds": "s", **self.units}  # which every run says
        return (
            (name, value, unit or units.get(name, "")) for name, value, unit in _quantities(self._values())
        )

    def unit(self, name: str) -> str:
        """Return the SI unit of a value, "" of one without.

        Raises
        ------
        InputError
            There is no such value; the text names those that are alike.
        """
        units = {one: unit for one, _, unit in self._quantities()}
        if name not in units:
            raise InputError(f"{type(self).__name__} has no value {name!r}: {nearest(name, units)}")
        return units[name]

    def to_xarray(self) -> xarray.Dataset:
        """Return numbers and texts as a Dataset, units in ``attrs["units"]``; what lies in a mapping is ``NAME.KEY``.

        Raises
        ------
        InputError
            xarray is not installed.
        """
        with needing("a Dataset", "xarray"):
            import xarray
        variables: dict[str, xarray.Variable] = {}
        lengths: dict[str, int] = {}
        for name, value, unit in self._quantities():
            array = _as_array(value)
            if array is None:
                continue
            above = name.rpartition(".")[0]
            dims = self.dims.get(name, (above,) if above else ())[: array.ndim]
            if len(dims) != array.ndim or any(
                lengths.get(one, n) != n for one, n in zip(dims, array.shape, strict=True)
            ):
                dims = tuple(f"{name}_{axis}" for axis in range(array.ndim))
            lengths |= zip(dims, array.shape, strict=True)
            variables[name] = xarray.Variable(dims, array, {"units": unit} if unit else {})
        attributes = {"result": type(self).__name__, "run_file": str(self.path or "")}
        return xarray.Dataset(variables, attrs=attributes)

    def __repr__(self) -> str:
        arrays: list[str] = []
        others: list[str] = []
        for name, value, unit in self._quantities():
            text = f"{name} {_brief(value)} {unit}".rstrip()
            (arrays if isinstance(value, np.ndarray) and value.size > FEW else others).append(text)
        lines = [f"<{type(self).__name__}: {self.path.name if self.path else 'no run file'}"]
        lines += [textwrap.shorten(one, WIDTH, placeholder=" …") for one in arrays[: MOST_LINES - 4]]
        lines += textwrap.wrap(
            "; ".join(others),
            WIDTH,
            max_lines=MOST_LINES - len(lines),
            placeholder=" …",
            break_on_hyphens=False,
        )
        return "\n  ".join(lines) + ">"

    def _repr_html_(self) -> str:
        rows = [(name, _brief(value), unit) for name, value, unit in self._quantities()]
        lines = [
            f"<tr>{''.join(f'<td style={chr(39)}text-align:left{chr(39)}>{html(one)}</td>' for one in row)}</tr>"
            for row in rows[:MOST_ROWS]
        ]
        more = f"<div>{len(rows) - MOST_ROWS} more</div>" if len(rows) > MOST_ROWS else ""
        file = html(self.path.name if self.path else "no run file")
        return f"<div><b>{html(type(self).__name__)}</b> {file}<table>{''.join(lines)}</table>{more}</div>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ResultViews) or type(self) is not type(other):
            return NotImplemented
        return self.path == other.path and same(self._values(), other._values())

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.path))


class ResultMapping(dict[str, Any], ResultViews):
    """What a procedure returned as a mapping, still a dict, with its run file and units.

    Parameters
    ----------
    values : mapping
        Numbers, text, arrays, lists and mappings of them, by name; a number with its unit may be ``(3e-6, "S")``.
    path : Path, optional
        The run file.
    units : mapping, optional
        Units by name, beside those that stand with the values.

    Examples
    --------
    >>> result = mho.ResultMapping({"window": (3e-6, "S"), "pulses": 12})
    >>> result["pulses"], result.unit("window")
    (12, 'S')
    >>> result
    <ResultMapping: no run file
      window 3e-06 S; pulses 12>
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        *,
        path: Path | None = None,
        units: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(values)
        self.path = path
        self._units = dict(units)

    @property
    def units(self) -> Mapping[str, str]:
        """SI unit by name, of what has one; of what lies in a mapping by ``NAME.KEY``."""
        return self._units | {name: unit for name, _, unit in _quantities(self) if unit}

    def _values(self) -> Mapping[str, Any]:
        return dict(self)

    __repr__ = ResultViews.__repr__
    __hash__ = None  # type: ignore[assignment]  # it can be changed

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and same(dict(self), dict(other))

    def __ne__(self, other: object) -> bool:
        return not self == other


_PLAIN = (dict, OrderedDict, MappingProxyType, ResultMapping)


def returned(result: Any, path: Path | None) -> Any:
    """Return what a user's own procedure returned with all that a result offers.

    A mapping comes back as a `ResultMapping`; a dataclass as an instance of a subclass of its own class. Anything else,
    also a mapping of a class of the user's own, comes back as it is.
    """
    if type(result) in _PLAIN:
        return ResultMapping(result, path=path, units=getattr(result, "_units", {}))
    if not dataclasses.is_dataclass(result) or isinstance(result, type):
        return result
    if isinstance(result, ResultViews):
        return dataclasses.replace(result, path=path)
    values = {one.name: getattr(result, one.name) for one in dataclasses.fields(result)}
    return _viewed(type(result), getattr(result, "__dict__", {}) | values, path)


def _viewed(kind: type, values: Mapping[str, Any], path: Path | None) -> Any:
    made: Any = object.__new__(_with_views(kind))
    for name, value in {**values, "path": path}.items():
        object.__setattr__(made, name, value)  # it may be frozen
    return made


@cache
def _with_views(kind: type) -> type:
    """Return a dataclass that is a `kind`, too, and has what every result offers; its own attributes go first."""

    def reduced(self: Any) -> tuple[Any, ...]:  # pickle cannot import a class that is made here
        values = {one.name: getattr(self, one.name) for one in dataclasses.fields(self)}
        return _viewed, (kind, {**vars(self), **values}, self.path)

    over = {name: vars(ResultViews)[name] for name in ("__repr__", "__eq__", "__hash__")}
    own = {"__module__": kind.__module__, "__qualname__": kind.__qualname__, "__doc__": kind.__doc__}
    return type(kind.__name__, (kind, ResultViews), {**over, **own, "__reduce__": reduced})


def same(one: object, other: object) -> bool:
    """Return whether two values are equal as a whole: no array of answers, and NaN is like NaN."""
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        one, other = np.asarray(one), np.asarray(other)
        return np.array_equal(one, other, equal_nan=one.dtype.kind in "fc" and other.dtype.kind in "fc")
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(value, other[name]) for name, value in one.items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        pairs = zip(one, other, strict=False)
        return (
            isinstance(one, list) == isinstance(other, list)
            and len(one) == len(other)
            and all(same(*pair) for pair in pairs)
        )
    if dataclasses.is_dataclass(one) and not isinstance(one, ResultViews) and type(one) is type(other):
        return all(
            same(getattr(one, field.name), getattr(other, field.name))
            for field in dataclasses.fields(one)
            if field.compare
        )
    return bool(one == other) or (one != one and other != other)


def _quantities(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any, str]]:
    """Yield name, value and unit of what mappings and dataclasses hold; the unit of a pair, else ""."""
    for key, value in values.items():
        name = f"{above}{key}"
        match value:
            case (quantity, str(unit)) if isinstance(value, tuple) and not isinstance(quantity, str):
                yield name, quantity, unit
            case Mapping():
                yield from _quantities(value, f"{name}.")
            case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
                held = {one.name: getattr(value, one.name) for one in dataclasses.fields(value) if one.repr}
                yield from _quantities(held, f"{name}.")
            case [Mapping() as first, *_] if isinstance(value, list):
                rows = [one for one in value if isinstance(one, Mapping) and one.keys() == first.keys()]
                if len(rows) == len(value):
                    yield from ((f"{name}.{one}", [row[one] for row in rows], "") for one in first)
            case _:
                yield name, value, ""


def _as_array(value: object) -> NDArray[Any] | None:
    """Return numbers and text as an array; None for what is neither, or no array."""
    if value is None:
        return None
    try:
        array = np.asarray(value)
    except ValueError:  # ragged
        return None
    return array if array.dtype.kind in "biufcU" else None


def _brief(value: object) -> str:
    """Return a value in a few letters: of an array type and shape."""
    match value:
        case np.ndarray() if value.size > FEW:
            return f"{value.dtype} {value.shape}"
        case np.ndarray():
            return np.array2string(value, precision=4, separator=", ").replace("\n", "")
        case bool() | int() | None:
            return str(value)
        case float() | complex() | np.number():
            return f"{value:.4g}"
        case str():
            return repr(textwrap.shorten(value, LONGEST_WORD, placeholder=" …"))
        case list() | tuple() if 0 < len(value) <= FEW and all(isinstance(one, int | float) for one in value):
            return f"[{', '.join(map(_brief, value))}]"
        case list() | tuple():
            return f"{type(value).__name__} of {len(value)}"
    return type(value).__name__
