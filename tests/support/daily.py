"""Choose which of many parameters are tested every day; the others are marked as thorough, see pyproject.toml."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pytest


def daily(values: Iterable[Any], chosen: Iterable[Any] | int) -> list[Any]:
    """Return `values` as parameters, those that are not `chosen` with the mark; a tuple is several arguments.

    A number chooses that many, from the first to the last in equal steps.
    """
    values = list(values)
    if isinstance(chosen, int):
        steps = np.linspace(0, len(values) - 1, min(chosen, len(values)))
        indices = {round(step) for step in steps}
    else:
        chosen = list(chosen)
        indices = {index for index, value in enumerate(values) if value in chosen}
    return [value if index in indices else _thorough(value) for index, value in enumerate(values)]


def spread(rows: Sequence[Any], columns: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Return so many pairs that each row and each column is in one."""
    return [
        (rows[index % len(rows)], columns[index % len(columns)])
        for index in range(max(len(rows), len(columns)))
    ]


def _thorough(value: Any) -> Any:
    if isinstance(value, type(pytest.param())):
        return pytest.param(*value.values, marks=(*value.marks, pytest.mark.thorough), id=value.id)
    arguments = value if isinstance(value, tuple) else (value,)
    return pytest.param(*arguments, marks=pytest.mark.thorough)
