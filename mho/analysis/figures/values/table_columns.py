"""The columns of a table as floats, those of formulas among them; a formula may also name results and parameters."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mho.analysis.figures.values.expressions import Formula, Measured, evaluate
from mho.errors import InputError
from mho.runs import RunFile
from mho.runs.index import plain_results

Floats = NDArray[np.float64]


class TableColumns:
    """Reads columns of one table of an open run.

    Parameters
    ----------
    formulas : sequence of Formula
        New columns; a later one may use an earlier one.

    Raises
    ------
    InputError
        A formula has the name of a column, or cannot be evaluated.
    """

    def __init__(self, run: RunFile, table: str, formulas: Sequence[Formula] = ()) -> None:
        self._run, self._table = run, table
        self._formulas = {one.name: one for one in formulas}
        for name in self._formulas:
            if name in self._units:
                raise InputError(f"formula {name}: table {table!r} has a column of that name; choose another")

    @cached_property
    def _units(self) -> dict[str, str]:
        return self._run.units(self._table)

    @cached_property
    def _scalars(self) -> dict[str, Measured]:
        """The numbers of the run: its results, then its parameters."""
        found = {
            name: Measured(float(one.value), one.unit)
            for name, one in self._run.parameters.items()
            if isinstance(one.value, int | float) and not isinstance(one.value, bool)
        }
        units = self._run.result_units
        results = plain_results(self._run.summary).items()
        return found | {
            name: Measured(float(value), units.get(name, ""))
            for name, value in results
            if isinstance(value, int | float) and not isinstance(value, bool)
        }

    def floats(self, name: str, start: int, stop: int | None = None) -> Floats:
        """Return rows of a column as floats, (rows,)."""
        if name not in self._formulas:
            return self._run.column(self._table, name, start, stop).astype(float)
        return np.asarray(self._computed(name, start, stop).values, dtype=float)

    def unit(self, name: str) -> str:
        """Return the unit of a column."""
        if name in self._formulas:
            return self._computed(name, 0, 0).unit
        return self._run.stored(self._table, name).unit

    def description(self, name: str) -> str:
        """Return what is said of a column; "" of a formula."""
        return "" if name in self._formulas else self._run.stored(self._table, name).description

    def length(self, names: Sequence[str]) -> int:
        """Return how many rows all columns of these names have; formulas have as many as what they are of."""
        lengths = [
            self._run.stored(self._table, name).shape[0] for name in names if name not in self._formulas
        ]
        return min(lengths) if lengths else self._run.length(self._table)

    def _computed(self, name: str, start: int, stop: int | None) -> Measured:
        formula = self._formulas[name]
        known: dict[str, Measured] = dict(self._scalars) | {
            column: Measured(np.empty(0)) for column in self._units
        }
        rows = None
        for need in formula.needs:
            if need in self._formulas and need != name:
                known[need] = self._computed(need, start, stop)
            elif need in self._units:
                known[need] = Measured(self.floats(need, start, stop), self._units[need])
            else:
                continue
            if np.ndim(known[need].values) != 1:
                raise InputError(f"formula {name}: column {need!r} has several values a row")
            rows = len(known[need].values) if rows is None else min(rows, len(known[need].values))
        if rows is None:
            length = self._run.length(self._table)
            rows = (length if stop is None else min(stop, length)) - start
        known = {
            key: Measured(one.values[:rows], one.unit) if np.ndim(one.values) else one
            for key, one in known.items()
        }
        found = evaluate(formula, known)
        return Measured(np.broadcast_to(found.values, (max(rows, 0),)), found.unit)
