"""Foreign tables become run files in SI units, or every line that is wrong is named."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Shell
from hypothesis import given
from hypothesis import strategies as st

from mho.analysis import summarise
from mho.analysis.exports.exporting import export
from mho.errors import ChipMapError, InputError
from mho.extensions.imports.table_import import import_table
from mho.runs import RunFile


def imported(folder: Path, text: str | bytes, **options: Any) -> dict[str, list[float]]:
    """The table of the run file that `text` becomes."""
    source = folder / "table.csv"
    source.write_bytes(text if isinstance(text, bytes) else text.encode())
    with RunFile(import_table(source, folder / "run.h5", **options)) as run:
        return {name: values.tolist() for name, values in run.table("reads").items()}


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("row,column,conductance\n0,1,1e-5\n2,0,2.5e-6\n", {}),
        ("row,col,G (uS)\n0,1,10\n2,0,2.5\n", {}),
        ("# said by hand\n\nRow, Column, G [µS]\n0, 1, 10\n\n# more\n2, 0, 2.5\n", {}),
        ("row\tcol\tG_uS\n0\t1\t10\n2\t0\t2.5\n", {}),
        ("row;col;G / uS\n0;1;10,0\n2;0;2,5\n", {}),
        ("row col G/uS\n0  1 10\n2 0   2.5\n", {}),
        ("row,col,G\n0,1,10\n2,0,2.5\n", {"units": {"conductance": "uS"}}),
        ("row,col,G\n0,1,10\n2,0,2.5\n", {"units": {"G": "uS"}}),
        ("WL,BL,mean (uS)\n0,1,10\n2,0,2.5\n", {"columns": {"row": "WL", "column": "BL", "conductance": "mean (uS)"}}),
        ("row,col,R (kOhm)\n0,1,100\n2,0,400\n", {}),
        ("row,col,I (uA),V (mV)\n0,1,2,200\n2,0,0.5,200\n", {}),
        ("\ufeffrow,col,\"G (uS)\"\r\n0,1,\"10\"\r\n2,0,2.5\r\n", {}),
        ("row,col,G (µS)\n0,1,10\n2,0,2.5\n".encode("latin-1"), {}),
        ("row,col,G (uS)\n0,1,10\n2,0,2.5\n".encode("utf-16"), {}),
        ("col,G (uS),row,who\n1,10,0,me\n0,2.5,2,\n", {}),
    ],
)  # fmt: skip
def test_a_table_is_understood_however_it_is_written(
    tmp_path: Path, text: str | bytes, options: dict[str, Any]
):
    table = imported(tmp_path, text, **options)
    assert table["row"] == [0, 2]
    assert table["column"] == [1, 0]
    assert table["conductance"] == pytest.approx([1e-5, 2.5e-6], rel=1e-15)


def test_current_and_voltage_are_kept_and_so_is_what_is_not_known(tmp_path: Path):
    table = imported(tmp_path, "r,c,I (nA),V (mV),T (K),width (ns),gate\n0,1,2000,200,300,100,2.5\n")
    assert table == {
        "row": [0], "column": [1], "conductance": [2e-6 / 0.2], "current": [2e-6], "voltage": [0.2], "t": [300.0],
        "width": [1e-7], "gate": [2.5],
    }  # fmt: skip
    with RunFile(tmp_path / "run.h5") as run:
        assert run.units("reads") == {
            "row": "", "column": "", "conductance": "S", "current": "A", "voltage": "V", "t": "K", "width": "s", "gate": "",
        }  # fmt: skip


PULSES = "time (ms),WL,BL,Pulse,Amplitude (V),Width (ns),Vg,R (kOhm)\n"


def test_pulses_are_read_with_their_kinds_in_words(tmp_path: Path):
    lines = "0,0,1,read,0.2,0,0,50\n1,0,1,SET,2,100,2500,10\n2,0,1,Reset,1.8,100,4000,40\n"
    table = imported(tmp_path, PULSES + lines, columns={"row": "WL", "column": "BL"}, units={"Vg": "mV"})
    assert table["kind"] == [0.0, 1.0, 2.0]
    assert table["voltage"] == [0.2, 2.0, 1.8]
    assert table["width"] == pytest.approx([0.0, 1e-7, 1e-7])
    assert table["gate"] == pytest.approx([0.0, 2.5, 4.0])
    assert table["conductance"] == pytest.approx([2e-5, 1e-4, 2.5e-5])
    assert table["time"] == pytest.approx([0.0, 1e-3, 2e-3])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("row,col,kind,G\n0,0,set,1e-5\n0,0,up,1e-5\n", "line 3: 'up' in column 'kind' is no kind of pulse"),
        ("row,col,kind,G\n0,0,3,1e-5\n", "say read, set or reset"),
        ("row,col,kind,I,V\n0,0,set,1e-5,2\n", "whose voltage is that of the pulse"),
        (
            "row,col,kind,width (V),G\n0,0,set,2,1e-5\n",
            "column 'width (V)' is in V, and width has the unit s",
        ),
    ],
)
def test_pulses_that_cannot_be_meant_are_refused(tmp_path: Path, text: str, words: str):
    with pytest.raises(InputError, match=re.escape(words)):
        imported(tmp_path, text)


def test_the_map_holds_the_last_read_of_each_cell(tmp_path: Path):
    imported(
        tmp_path, "row,col,G (uS)\n5,1,1\n5,1,2\n9,3,4\n9,1,nan\n5,3,\n", array="multiply", chip="reference"
    )
    with RunFile(tmp_path / "run.h5") as run:
        rows, columns = run.map_axes("multiply_conductance")
        assert (rows.tolist(), columns.tolist()) == ([5, 9], [1, 3])
        np.testing.assert_array_equal(1e6 * run.map("multiply_conductance"), [[2.0, np.nan], [np.nan, 4.0]])
        assert run.status == "finished"
        assert run.provenance["inputs"].startswith("table ")
        assert summarise(run).chip == "reference"


def test_a_column_of_text_is_left_out_and_said(tmp_path: Path):
    table = imported(tmp_path, "row,col,G (uS),who\n0,0,1,me\n0,1,2,7\n")
    assert "who" not in table
    with RunFile(tmp_path / "run.h5") as run:
        assert "'who' holds text" in run.log()[0].message


@pytest.mark.parametrize(
    ("text", "raw"),
    [("row,col,I,V\n0,0,1e-9,0\n0,1,0.5,1\n", "voltage"), ("row,col,R\n0,0,0\n0,1,2\n", "resistance")],
)
def test_where_nothing_was_measured_there_is_no_conductance(tmp_path: Path, text: str, raw: str):
    table = imported(tmp_path, text)
    assert table["conductance"] == [pytest.approx(math.nan, nan_ok=True), 0.5]
    assert table[raw][0] == 0.0


def test_every_bad_line_is_named_by_its_number(tmp_path: Path):
    lines = [
        "# comment",
        "row,col,G (uS)",
        "0,a,5",
        "1,2",
        "",
        "-1,0,4",
        "1.5,0,4",
        "0,0,1",
        "0,0,zz",
        "nan,0,1",
        "0,0,1,1",
    ]
    with pytest.raises(InputError) as caught:
        imported(tmp_path, "\n".join(lines))
    said = str(caught.value)
    assert "has 7 bad lines" in said
    for part in (
        "line 3: 'a' in column 'col' is no number",
        "line 4: 2 values where the header has 3",
        "line 6: '-1' in column 'row' is no number of a row, from 0",
        "line 7: '1.5' in column 'row'",
        "line 9: 'zz' in column 'G (uS)' is no number",
        "line 10: 'nan' in column 'row'",
        "line 11: 4 values",
    ):
        assert part in said
    assert not (tmp_path / "run.h5").exists()


def test_many_bad_lines_are_counted(tmp_path: Path):
    with pytest.raises(InputError, match=r"has 500 bad lines: line 2: .*line 11: .*; and 490 more"):
        imported(tmp_path, "row,col,G\n" + "x,0,1\n" * 500)


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("", {}, "is empty"),
        ("# only a comment\n", {}, "is empty"),
        ("row,col,G\n", {}, "no line of values"),
        ("0,1,2\n3,4,5\n", {}, "has no header"),
        ("a,b,G\n1,2,3\n", {}, "has no column for row; it has a, b, G: say --column row="),
        ("row,col,x\n1,2,3\n", {}, "has neither conductance, nor resistance, nor current and voltage"),
        ("row,col,I\n1,2,3\n", {}, "has neither conductance"),
        ("row,col,G (V)\n1,2,3\n", {}, "column 'G (V)' is in V, and conductance has the unit S"),
        ("row,col,G\n1,2,3\n", {"units": {"conductance": "blips"}}, "'blips' is no unit"),
        ("row,col,G,G\n1,2,3,4\n", {}, "both seem to be conductance"),
        ("row,col,G,cond\n1,2,3,4\n", {}, "say which is it: --column conductance=cond"),
        ("row,col,G\n1,2,3\n", {"columns": {"row": "WL"}}, "has no column 'WL' for row; it has row, col, G"),
        ("row,col,G\n1,2,3\n", {"columns": {"rwo": "row"}}, "no column is called 'rwo'; did you mean 'row'?"),
        ("row,col,G\n1,2,3\n", {"units": {"I": "nA"}}, "has no column 'I' to be in nA"),
        (
            "row,col,G (uS)\n5000,2,3\n",
            {"array": "multiply", "chip": "reference"},
            "0 to 1023; the table has row 5000",
        ),
        ("row,col,G\n1,2,3\n", {"array": "a b"}, "is no name for a map"),
    ],
)
def test_what_is_not_understood_is_said(tmp_path: Path, text: str, options: dict[str, Any], said: str):
    with pytest.raises(InputError) as caught:
        imported(tmp_path, text, **options)
    assert said in str(caught.value)
    assert not (tmp_path / "run.h5").exists()


def test_an_unknown_chip_is_said(tmp_path: Path):
    with pytest.raises(ChipMapError, match="has no array 'nope'"):
        imported(tmp_path, "row,col,G (uS)\n1,2,3\n", array="nope", chip="reference")
    with pytest.raises(ChipMapError, match="nochip"):
        imported(tmp_path, "row,col,G (uS)\n1,2,3\n", chip="nochip")


@given(st.binary(max_size=80) | st.text(alphabet="rowclG,;\t\n 0123.e-\"'#()/", max_size=80).map(str.encode))
def test_any_bytes_are_imported_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
):
    folder = tmp_path_factory.mktemp("any")
    (folder / "table.csv").write_bytes(content)
    try:
        import_table(folder / "table.csv", folder / "run.h5")
    except InputError as error:
        assert str(error)  # noqa: PT017
        assert not (folder / "run.h5").exists()


def test_blocks_join_without_a_seam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("mho.extensions.imports.table_import.BLOCK_LINES", 7)
    text = "row,col,G (uS)\n" + "".join(f"{n % 4},{n % 3},{n}\n" for n in range(50))
    table = imported(tmp_path, text)
    assert table["conductance"] == pytest.approx([1e-6 * n for n in range(50)])


@pytest.mark.thorough
def test_an_exported_map_can_be_imported(tmp_path: Path):
    imported(tmp_path, "row,col,G (uS)\n0,0,1\n0,1,2.5\n1,0,nan\n1,1,4\n")
    folder = export(tmp_path / "run.h5", "csv")
    again = import_table(
        folder / "maps" / "conductance.csv", tmp_path / "again.h5", columns={"conductance": "value (S)"}
    )
    with RunFile(again) as run, RunFile(tmp_path / "run.h5") as first:
        np.testing.assert_array_equal(run.map("conductance"), first.map("conductance"))


@pytest.mark.thorough
def test_the_command_takes_columns_and_units(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "t.csv").write_text("WL,col,G\n1,2,3\n")
    shell = Shell(tmp_path / "runs", monkeypatch, capsys)
    assert "write NAME=VALUE" in shell.refused("import", tmp_path / "t.csv", "--column", "row")
    assert "cannot be read: No such file" in shell.refused("import", tmp_path / "nowhere.csv")
    code, out, err = shell("import", tmp_path / "t.csv", "--column", "row=WL", "--unit", "conductance=uS")
    assert (code, err) == (0, "")
    with RunFile(out.strip()) as run:
        assert math.isclose(run.map("conductance")[0, 0], 3e-6)
    code, out, _ = shell("show", out.strip())
    assert "Import of t.csv" in out
