"""Sheets of spreadsheets are tables: texts, numbers, dates, gaps; which sheet it is, is said where there are several."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from openpyxl import Workbook

from mho.errors import InputError
from mho.extensions.imports import TableReading, guess
from mho.extensions.imports.extraction import import_measurement
from mho.extensions.imports.tables import TextTable
from mho.extensions.imports.tables.text_tables import SheetLines
from mho.runs import RunFile

GENERAL, OWN_DATE, DATE, DAYS = "General", "yyyy\\-mm\\-dd hh:mm", "m/d/yy h:mm", '0.00" days"'


def write(path: Path, sheets: dict[str, dict[int, Sequence[object]]], style: str = GENERAL) -> Path:
    """Write sheets of rows by their numbers, from 1; None leaves a cell out; the first column has a style."""
    book = Workbook()
    del book["Sheet"]
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for number, row in rows.items():
            for place, value in enumerate(row, 1):
                if value is not None:
                    sheet.cell(number, place, value)
                    sheet.cell(number, place).number_format = style if place == 1 else GENERAL
    book.save(path)
    return path


ENDURANCE = {1: ("Cycle", "R_LRS (kOhm)", "R_HRS (kOhm)")} | {2 + k: (k + 1, 5.5, 200 + k) for k in range(6)}


def test_a_sheet_is_a_table(tmp_path: Path):
    path = write(tmp_path / "t.xlsx", {"Sheet1": ENDURANCE, "Sheet2": {}})
    found = guess(path)
    assert (found.best.measurement.name, found.sure) == ("endurance", True)
    with RunFile(import_measurement(path, found.best.reading, tmp_path / "t.h5")) as run:
        assert run.length("endurance") == 12
        assert run.table("endurance")["conductance"][0] == pytest.approx(1 / 5500)


def test_which_of_several_sheets_is_said(tmp_path: Path):
    path = write(tmp_path / "t.xlsx", {"SET": ENDURANCE, "Notes & more": {1: ("by", "nobody")}})
    with pytest.raises(InputError, match="has the sheets SET, Notes & more; say --dataset 'SET'"):
        guess(path)
    assert guess(path, TableReading(dataset="SET")).best.measurement.name == "endurance"
    with pytest.raises(InputError, match="has no sheet 'RESET'; it has SET, Notes & more"):
        guess(path, TableReading(dataset="RESET"))


def test_rows_and_cells_that_are_not_there_are_empty(tmp_path: Path):
    path = write(tmp_path / "t.xlsx", {"a": {1: ("V", "I"), 2: (0, 1), 5: (None, 2), 6: (1,)}})
    assert [*SheetLines(path).numbered(1)] == [
        (1, "V\tI"), (2, "0\t1"), (3, ""), (4, ""), (5, "\t2"), (6, "1"),
    ]  # fmt: skip
    assert [number for number, _ in SheetLines(path).numbered(4)] == [4, 5, 6]


def test_columns_beyond_z(tmp_path: Path):
    path = write(tmp_path / "t.xlsx", {"a": {1: (*[None] * 27, "AB"), 2: (1,)}})
    assert next(SheetLines(path).numbered(1))[1] == "\t" * 27 + "AB"


@pytest.mark.parametrize(
    ("style", "text"),
    [(GENERAL, "46053.5"), (OWN_DATE, "2026-01-31 12:00:00"), (DATE, "2026-01-31 12:00:00"), (DAYS, "46053.5")],
)  # fmt: skip
def test_dates_are_dates_by_their_style(tmp_path: Path, style: str, text: str):
    path = write(tmp_path / "t.xlsx", {"a": {1: (46053.5, 2)}}, style)
    assert [*SheetLines(path).numbered(1)] == [(1, f"{text}\t2")]


def test_a_damaged_one_is_said(tmp_path: Path):
    path = write(tmp_path / "t.xlsx", {"a": ENDURANCE})
    whole = path.read_bytes()
    with zipfile.ZipFile(path, "a") as packed:
        packed.writestr("more", "")
    with zipfile.ZipFile(tmp_path / "u.xlsx", "w") as packed:
        packed.writestr("xl/workbook.xml", "<workbook")
    with pytest.raises(InputError, match=r"spreadsheet .*u\.xlsx cannot be read"):
        TextTable(tmp_path / "u.xlsx")
    (tmp_path / "v.xlsx").write_bytes(whole[:200])
    with pytest.raises(InputError, match="is a spreadsheet or an archive, no text"):
        TextTable(tmp_path / "v.xlsx")


def test_a_sheet_without_values_is_said(tmp_path: Path):
    with pytest.raises(InputError, match="has no sheet with values"):
        TextTable(write(tmp_path / "t.xlsx", {"a": {}}))


def test_without_openpyxl_what_to_do_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = write(tmp_path / "t.xlsx", {"a": ENDURANCE})
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(InputError, match=r"needs openpyxl: .* -m pip install openpyxl; or save"):
        SheetLines(path)
