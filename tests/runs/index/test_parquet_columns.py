"""What type a column of a parquet table has."""

from __future__ import annotations

from typing import Any

import pytest

from mho.runs.index.parquet import _column


@pytest.mark.parametrize(
    ("values", "column"),
    [
        ([1, None, 3], [1, None, 3]),
        ([1, 2.5, None], [1.0, 2.5, None]),
        ([2**63 - 1, 1 - 2**63], [2**63 - 1, 1 - 2**63]),
        ([2**63, 1], [str(2**63), "1"]),  # no column of whole numbers holds it
        ([-(2**63), None], [str(-(2**63)), None]),
        ([2**63, 0.5], [str(2**63), "0.5"]),
        ([1e30, 2.0], [1e30, 2.0]),
        ([1, "two"], ["1", "two"]),
        ([True, False], [True, False]),
        ([True, 1], ["True", "1"]),
        ([None], [None]),
    ],
)
def test_a_column_is_of_one_type_and_loses_no_digit(values: list[Any], column: list[Any]) -> None:
    found = _column(values)
    assert found == column
    assert [type(value) for value in found] == [type(value) for value in column]
