"""Choose which of many parameters are tested every day; the others are marked as thorough, see pyproject.toml."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest


def daily(values: Iterable[Any], chosen: Iterable[Any]) -> list[Any]:
    """Return `values` as parameters, those that are not `chosen` with the mark; a tuple is several arguments."""
    chosen = list(chosen)
    return [
        value
        if value in chosen
        else pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=pytest.mark.thorough)
        for value in values
    ]


def spread(rows: Sequence[Any], columns: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Return so many pairs that each row and each column is in one."""
    return [
        (rows[index % len(rows)], columns[index % len(columns)])
        for index in range(max(len(rows), len(columns)))
    ]
