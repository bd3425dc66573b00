"""Sheets of spreadsheets are tables: texts, numbers, dates, gaps; which sheet it is, is said where there are several."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from mho.analysis.imports import Reading, guess
from mho.analysis.imports.tables import TextTable
from mho.analysis.imports.tables.spreadsheets import SheetLines
from mho.errors import InputError
from mho.running.importing import import_measurement
from mho.runs import RunFile

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
STYLES = (
    f'<styleSheet xmlns="{MAIN}"><numFmts><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd hh:mm"/>'
    '<numFmt numFmtId="165" formatCode="0.00&quot; days&quot;"/></numFmts>'
    '<cellXfs><xf numFmtId="0"/><xf numFmtId="164"/><xf numFmtId="22"/><xf numFmtId="165"/></cellXfs></styleSheet>'
)
GENERAL, OWN_DATE, DATE, DAYS = range(4)


def column(place: int) -> str:
    return ("" if place < 26 else column(place // 26 - 1)) + chr(ord("A") + place % 26)


def cell(reference: str, value: object, style: int, shared: list[str]) -> str:
    if isinstance(value, str):
        shared.append(value)
        return f'<c r="{reference}" t="s"><v>{len(shared) - 1}</v></c>'
    return f'<c r="{reference}" s="{style}"><v>{value}</v></c>'


def write(path: Path, sheets: dict[str, dict[int, Sequence[object]]], style: int = GENERAL) -> Path:
    """Write sheets of rows by their numbers, from 1; None leaves a cell out; the first column has a style."""
    shared: list[str] = []
    with zipfile.ZipFile(path, "w") as packed:
        for number, rows in enumerate(sheets.values(), 1):
            body = "".join(
                f'<row r="{n}">'
                + "".join(
                    cell(f"{column(place)}{n}", value, style if place == 0 else GENERAL, shared)
                    for place, value in enumerate(row)
                    if value is not None
                )
                + "</row>"
                for n, row in rows.items()
            )
            packed.writestr(
                f"xl/worksheets/sheet{number}.xml",
                f'<worksheet xmlns="{MAIN}"><sheetData>{body}</sheetData></worksheet>',
            )
        named = "".join(
            f'<sheet name="{escape(name)}" sheetId="{n}" r:id="rId{n}"/>' for n, name in enumerate(sheets, 1)
        )
        packed.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}"><sheets>{named}</sheets></workbook>',
        )
        targets = "".join(
            f'<Relationship Id="rId{n}" Target="worksheets/sheet{n}.xml"/>' for n in range(1, len(sheets) + 1)
        )
        packed.writestr(
            "xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{PACKAGE}">{targets}</Relationships>'
        )
        texts = "".join(f"<si><t>{escape(one)}</t></si>" for one in shared)
        packed.writestr("xl/sharedStrings.xml", f'<sst xmlns="{MAIN}">{texts}</sst>')
        packed.writestr("xl/styles.xml", STYLES)
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
    assert guess(path, Reading(dataset="SET")).best.measurement.name == "endurance"
    with pytest.raises(InputError, match="has no sheet 'RESET'; it has SET, Notes & more"):
        guess(path, Reading(dataset="RESET"))


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
def test_dates_are_dates_by_their_style(tmp_path: Path, style: int, text: str):
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
