"""Tables of runs as CSV, parquet and JSON: units kept, formulas escaped, columns chosen, damaged files named."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
import run_samples
from command_line import Shell

from mho.analysis.reports.collection import tabulate
from mho.analysis.reports.run_table import RunRow, RunTable, row_of, table_of, write_table
from mho.errors import InputError
from mho.runs import RunFile
from mho.runs.index import plain_results

UNITS = {"result.x": "S", "duration": "s"}
TABLE = RunTable(
    ("file", "result.x", "result.ok", "result.word"),
    {"result.x": "S"},
    (
        {"file": "a.h5", "result.x": 2e-6, "result.ok": True, "result.word": "=1+1"},
        {"file": "b.h5", "result.x": None, "result.ok": False, "result.word": None},
        {"file": "c.h5", "result.x": float("nan"), "result.ok": None, "result.word": "a, b"},
    ),
)


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_csv_has_units_in_its_header_and_no_formulas(tmp_path):
    write_table(TABLE, tmp_path / "t.csv")
    assert read_csv(tmp_path / "t.csv") == [
        {"file": "a.h5", "result.x (S)": "2e-06", "result.ok": "true", "result.word": "'=1+1"},
        {"file": "b.h5", "result.x (S)": "", "result.ok": "false", "result.word": ""},
        {"file": "c.h5", "result.x (S)": "nan", "result.ok": "", "result.word": "a, b"},
    ]


def test_json_has_a_mapping_of_units_and_no_word_that_json_does_not_know(tmp_path):
    write_table(TABLE, tmp_path / "t.json")

    def unknown(word: str) -> None:
        raise AssertionError(word)

    told = json.loads((tmp_path / "t.json").read_text("utf-8"), parse_constant=unknown)
    assert told["units"] == {"result.x": "S"}
    assert told["runs"][0] == TABLE.rows[0]
    assert told["runs"][2]["result.x"] is None


def test_parquet_keeps_units_for_pandas_and_by_column(tmp_path):
    pandas = pytest.importorskip("pandas")
    write_table(TABLE, tmp_path / "t.parquet")
    assert pyarrow.parquet.read_schema(tmp_path / "t.parquet").field("result.x").metadata == {b"units": b"S"}
    frame = pandas.read_parquet(tmp_path / "t.parquet")
    assert frame.attrs["units"] == {"result.x": "S"}
    np.testing.assert_array_equal(frame["result.x"].to_numpy(), [2e-6, np.nan, np.nan])


@pytest.mark.parametrize("name", ["runs", "runs.xlsx", "runs.csv.gz"])
def test_an_unknown_suffix_is_refused_before_a_run_is_read(name, tmp_path):
    with pytest.raises(InputError, match=r"name one ending in .csv, .parquet, .json"):
        tabulate([tmp_path / "nowhere"], tmp_path / name)


def test_a_row_from_the_card_says_what_the_whole_file_says(solved):
    with RunFile(solved) as run:
        whole = {
            "title": run.title,
            "procedure": run.procedure,
            "status": str(run.status),
            "reason": run.reason,
        }
        whole |= {name: run.provenance.get(name, "") for name in ("seed", "preset")}
        whole |= {f"parameter.{name}": one.value for name, one in run.parameters.items()}
        whole |= {
            f"result.{name}": one for name, one in plain_results(run.summary).items() if one is not None
        }
        units = {f"result.{name}": unit for name, unit in run.result_units.items()}
        units |= {f"parameter.{name}": one.unit for name, one in run.parameters.items() if one.unit}
    told = row_of(solved)
    for name, value in whole.items():
        assert told.row[name] == value, name
    assert {name: unit for name, unit in units.items() if name in told.row} == dict(told.units)


def test_a_quantity_in_two_units_has_two_columns():
    def run(name: str, value: float, unit: str) -> RunRow:
        return RunRow(Path(name), {"file": name, "result.x": value}, {"result.x": unit} if unit else {})

    table = table_of([run("a", 1.0, "S"), run("b", 2.0, "uS"), run("c", 3.0, ""), run("d", 4.0, "S")])
    assert table.columns[-3:] == ("result.x", "result.x (uS)", "result.x (1)")
    assert (table.units["result.x"], table.units["result.x (uS)"]) == ("S", "uS")
    assert [row["result.x"] for row in table.rows] == [1.0, None, None, 4.0]
    assert [row["result.x (uS)"] for row in table.rows] == [None, 2.0, None, None]


def test_columns_are_chosen_by_full_or_short_name(tmp_path):
    assert TABLE.chosen(["X", "file", "result.ok"]).columns == ("result.x", "file", "result.ok")
    assert TABLE.chosen(["file"]).units == {}
    with pytest.raises(InputError, match="no run has a column 'wrod'; did you mean word"):
        TABLE.chosen(["wrod"])


@pytest.mark.parametrize("number", [2**63, -(2**70)])
def test_numbers_beyond_a_column_of_numbers_are_kept_as_text(number, tmp_path):
    table = RunTable(("result.n",), {}, ({"result.n": number}, {"result.n": 1}))
    write_table(table, tmp_path / "t.parquet")
    assert pyarrow.parquet.read_table(tmp_path / "t.parquet").to_pylist()[0] == {"result.n": str(number)}


@pytest.fixture
def folder(tmp_path: Path, solved: Path) -> Path:
    runs = tmp_path / "runs"
    runs.mkdir()
    shutil.copy(solved, runs / "good.h5")
    run_samples.other_run(runs / "other.h5")
    (runs / "broken.h5").write_bytes(b"no run")
    return runs


def test_the_verb_names_and_skips_damaged_files(folder, tmp_path, shell: Shell):
    code, out, err = shell("table", folder, "--output", tmp_path / "t.csv", "--columns", "file, bits,status")
    assert (code, out) == (0, f"{tmp_path / 't.csv'}: 2 runs\n")
    assert "broken.h5" in err
    rows = read_csv(tmp_path / "t.csv")
    assert [Path(row["file"]).name for row in rows] == ["good.h5", "other.h5"]
    (bits,) = (name for name in rows[0] if name.startswith("parameter.bits"))
    assert float(rows[0][bits]) > 0
    assert rows[1][bits] == ""
    code, _, err = shell("table", folder, "--output", tmp_path / "t.csv", "--columns", "bist")
    assert (code, "did you mean bits" in err) == (2, True)
