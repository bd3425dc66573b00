"""A comma is a decimal mark, or parts thousands: all numbers of a table tell, or it is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from mho.extensions.imports import TableReading, guess
from mho.extensions.imports.tables import TextTable
from mho.extensions.imports.tables.numbers import DecimalMark, decimal_mark

COMMA, POINT = DecimalMark(True), DecimalMark(False, ",")


@pytest.mark.parametrize(
    ("fields", "mark"),
    [
        (["5,1", "5,001"], COMMA),
        (["0,001", "5,001"], COMMA),
        (["5,001e-6"], COMMA),
        (["1.234,5", "2"], DecimalMark(True, ".")),
        (["1,234,567", "5,001"], POINT),
        (["5,001.2", "5,001"], POINT),
        (["0.5", "5,001"], POINT),
        (["5.1", "5"], DecimalMark()),
        (["5,1", "0.5"], DecimalMark()),
    ],
)
@pytest.mark.parametrize("by_commas", [True, False])
def test_other_numbers_tell(fields: list[str], mark: DecimalMark, by_commas: bool):
    assert decimal_mark(fields, by_commas) == mark


def test_where_none_tells_it_is_doubtful():
    assert decimal_mark(["5,001", "12,345", "7"], by_commas=False) == DecimalMark(True, "", "5,001")
    assert decimal_mark(["5,001", "12,345", "7"], by_commas=True) == DecimalMark(False, ",", "5,001")


@pytest.mark.parametrize(("said", "mark"), [("comma", COMMA), ("point", POINT)])
def test_what_was_said_holds(said: str, mark: DecimalMark):
    assert decimal_mark(["5,001", "12,345"], by_commas=False, said=said) == mark


def test_thousands_in_quotation_marks_are_numbers(tmp_path: Path):
    path = tmp_path / "t.csv"
    path.write_text('V,R\n0.1,"5,001"\n0.2,"1,005,001.5"\n')
    table = TextTable(path)
    assert [[table.form.number(one) for one in line.fields] for line in table.lines()] == [
        [0.1, 5001.0],
        [0.2, 1005001.5],
    ]


def test_a_doubtful_table_is_not_taken_unasked(tmp_path: Path):
    path = tmp_path / "t.csv"
    path.write_text("row;col;R (Ohm)\n" + "".join(f"{k // 4};{k % 4};{k + 1},500\n" for k in range(16)))
    found = guess(path)
    assert not found.sure
    assert "the comma in 1,500 may be a decimal mark or part thousands" in found.remarks[0]
    assert guess(path, TableReading(decimal="point")).sure
    table = TextTable(path, decimal="point")
    assert table.form.number("1,500") == 1500.0
    assert table.form.number("1,5") is None  # no 15, whatever was said
