"""Tables of measurements: named columns of numbers that explain, and one that is to be explained."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.errors import InputError
from mho.extensions.applications.input_data import column_of_numbers, columns_of_arrays, read_columns


@dataclass(frozen=True)
class Regressors:
    """What explains, and what is explained."""

    name: str  # of the table
    columns: tuple[str, ...]  # names of the explaining columns
    target: str  # name of the explained column
    values: Floats  # (rows, columns)
    observed: Floats  # (rows,): the target; of classes, 0 for the first and 1 for the second
    classes: tuple[str, ...] = ()  # the two classes in ascending order; empty where the target is a number

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.observed)


def sample_tables() -> list[str]:
    """Return the names of the tables that come with mho."""
    return sorted(path.stem for path in _samples().glob("*.csv"))


def load_regressors(
    source: object, target: str = "", features: str = "", *, classes: bool = False
) -> Regressors:
    """Return a table as what explains and what is explained.

    `source`: a ``.csv`` or ``.npz`` file, one of `sample_tables`, or columns by name. `target`: the explained column;
    the last one where none is given. `features`: names of the explaining columns, separated by commas; all others where
    none are given. `classes`: whether the target is two classes, which numbers or words may name. Raises `InputError`:
    for a file that is missing or no table; a column that is not there (the nearest are named), occurs twice, holds
    words, NaN or infinity (the row), or one value only; other than two classes.
    """
    name, table = _read(source)
    target = target.strip() or list(table)[-1]
    names = [one.strip() for one in features.split(",") if one.strip()]
    for one in (target, *names):
        if one not in table:
            raise InputError(f"{name} has no column {one!r}; {_nearest(one, list(table))}")
    columns = tuple(dict.fromkeys(names)) or tuple(one for one in table if one != target)
    if target in columns:
        raise InputError(f"{target!r} cannot explain itself; leave it out of the features")
    if not columns:
        raise InputError(f"{name} has the one column {target!r}; give others that explain it")
    values = np.stack([column_of_numbers(name, one, table[one]) for one in columns], axis=1)
    named: tuple[str, ...] = ()
    if classes:
        named, observed = _classes(name, target, table[target])
    else:
        observed = column_of_numbers(name, target, table[target])
    _check_varies(name, columns, values)
    _check_varies(name, (target,), observed[:, None])
    return Regressors(name, columns, target, values, observed, named)


def _samples() -> Path:
    return Path(__file__).parent / "data"


def _read(source: object) -> tuple[str, dict[str, NDArray[Any]]]:
    """Return the name of a table, and its columns as numbers or text."""
    if isinstance(source, Mapping) or (hasattr(source, "columns") and hasattr(source, "__getitem__")):
        return "the table", columns_of_arrays("the table", {str(key): source[key] for key in _keys(source)})
    if not isinstance(source, (str, Path)):
        raise InputError(f"the table is {type(source).__name__}; give a file, a name, or columns by name")
    path = Path(source)
    if str(source) in sample_tables():
        path = _samples() / f"{source}.csv"
    elif path.suffix.lower() not in (".csv", ".npz"):
        if not path.suffix:
            raise InputError(
                f"there is no table called {str(source)!r}; there are {', '.join(sample_tables())}; a file of yours ends "
                "in .csv or .npz"
            )
        raise InputError(f"{path} has the unknown suffix {path.suffix!r}; a table is read from .csv or .npz")
    name = str(source)
    return name, read_columns(path, name)


def _keys(source: Any) -> list[Any]:
    return list(source) if isinstance(source, Mapping) else list(source.columns)


def _classes(name: str, target: str, values: NDArray[Any]) -> tuple[tuple[str, ...], Floats]:
    named, places = np.unique(values.astype(np.str_), return_inverse=True)
    if len(named) != 2:
        some = ", ".join(named[:4].tolist()) + (", ..." if len(named) > 4 else "")
        raise InputError(
            f"{name}: {target!r} has {len(named)} classes ({some}); logistic regression takes two"
        )
    return tuple(named.tolist()), places.astype(np.float64)


def _check_varies(name: str, columns: Sequence[str], values: Floats) -> None:
    if len(values) < 2:
        raise InputError(f"{name} has one row; give more")
    for column, spread, one in zip(columns, np.ptp(values, axis=0), values[0], strict=True):
        if not spread > 0.0:
            raise InputError(
                f"{name}: column {column!r} is {one:g} in every row; a constant explains nothing, and the intercept is "
                "there already: leave it out"
            )


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, 3, 0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(known)}"
