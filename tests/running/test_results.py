"""What `execute` returns is in the run file, or the run has failed: nothing is lost in silence."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow.parquet
import pytest
from daily import daily

from mho import run
from mho.errors import RunFileError
from mho.instruments import open_bench
from mho.procedures import Procedure, Read
from mho.running.results import LONGEST
from mho.runs import Layout, RunFile, Status
from mho.runs.integrity.comparison import OF_THE_MOMENT


class Returning(Procedure):
    """Returns what it is given."""

    value: Any = None

    def layout(self, plan: None) -> Layout:
        return Layout()

    def execute(self, plan, bench, stream):
        bench.prepare()
        return self.value


def carried_out(value, path):
    procedure = Returning()
    procedure.value = value
    with open_bench(seed=1) as bench:
        try:
            return run(procedure, bench, output=path)
        finally:
            assert not bench.laboratory.devices[bench.file.instruments.gate.address].output_on


@dataclass(frozen=True)
class Found:
    summary: dict[str, Any]


@dataclass(frozen=True)
class Measured:
    summary: dict[str, Any]
    units: ClassVar[dict[str, str]] = {"waited": "s"}


@dataclass(frozen=True)
class Cell:
    conductance: Any
    path: Path = Path()


@pytest.mark.parametrize(
    ("value", "kept"),
    daily(
        [
            (None, {}),
            (1.5, {"result": 1.5}),
            (True, {"result": True}),
            ("long", {"result": "long"}),
            ([1, 2.5, None], {"result": [1, 2.5, None]}),
            ((1, 2), {"result": [1, 2]}),
            ({"window": 3.0, "on": [1e-6]}, {"window": 3.0, "on": [1e-6]}),
            ({"n": np.int64(3), "ok": np.bool_(True)}, {"n": 3, "ok": True}),
            ({"curve": np.arange(3.0)}, {"curve": [0.0, 1.0, 2.0]}),
            (np.float64(2.0), {"result": 2.0}),
            (Found({"bits": 24}), {"bits": 24}),
            (Cell(1e-6), {"conductance": 1e-6}),
        ],
        6,
    ),
)
def test_what_is_returned_is_kept(value, kept, tmp_path):
    returned = carried_out(value, tmp_path / "a.h5")
    assert returned is value or returned.path == tmp_path / "a.h5"
    with RunFile(tmp_path / "a.h5") as file:
        assert file.status is Status.FINISHED
        assert {
            name: one for name, one in file.summary.items() if name not in ("wall_seconds", "run_file")
        } == kept


@pytest.mark.parametrize(
    ("value", "kept", "units"),
    daily(
        [
            ((3.2e-6, "S"), {"result": 3.2e-6}, {"result": "S"}),
            ({"on": (3.2e-6, "S"), "window": 4.0}, {"on": 3.2e-6, "window": 4.0}, {"on": "S"}),
            ({"on": {"mean": (np.float64(1e-6), "S")}}, {"on": {"mean": 1e-6}}, {"on.mean": "S"}),
            ({"curve": (np.arange(2.0), "V")}, {"curve": [0.0, 1.0]}, {"curve": "V"}),
            (Cell((1e-6, "S")), {"conductance": 1e-6}, {"conductance": "S"}),
            (Measured({"bits": 24, "waited": 2.0}), {"bits": 24, "waited": 2.0}, {"waited": "s"}),
            ({"pair": ("on", "off"), "yes": (True, "S")}, {"pair": ["on", "off"], "yes": [True, "S"]}, {}),
        ],
        4,
    ),
)
def test_a_number_is_kept_with_its_unit(value, kept, units, tmp_path):
    carried_out(value, tmp_path / "a.h5")
    with RunFile(tmp_path / "a.h5") as file:
        found = file.summary
        assert {name: one for name, one in found.items() if name not in OF_THE_MOMENT} == kept
        assert file.result_units == units | {"wall_seconds": "s"}


def test_the_results_of_mho_s_own_procedures_have_units(tmp_path):
    with RunFile(run(Read(rows="0", columns="0:2"), seed=1, output=tmp_path / "a.h5").path) as file:
        units = {
            "mean_conductance": "S", "largest_conductance": "S", "virtual_seconds": "s", "wall_seconds": "s"
        }  # fmt: skip
        assert {name: unit for name, unit in file.result_units.items() if name in file.summary} == units


def test_a_result_is_shown_found_tabulated_and_exported_with_its_unit(shell, tmp_path, monkeypatch):
    (tmp_path / "own.py").write_text(
        "from mho import Layout, Procedure\n"
        "class Own(Procedure):\n    'Own.'\n    def layout(self, plan):\n        return Layout()\n"
        "    def execute(self, plan, bench, stream):\n"
        "        return {'on': (3.2e-6, 'S'), 'fit': {'slope': (2.0, 'V')}, 'window': 4.0}\n"
    )
    monkeypatch.chdir(tmp_path)
    code, out, err = shell("run", "own:Own", "--output", "own.h5")
    assert (code, "-> own.h5" in " ".join(err.split())) == (0, True)
    first, *lines = out.splitlines()
    assert first == "finished: on 3.2e-06 S, window 4"
    assert [line.split() for line in lines] == [
        ["on", "3.2e-06", "S"], ["fit.slope", "2", "V"], ["window", "4"], ["own.h5"]
    ]  # fmt: skip
    code, out, _ = shell("show", "own.h5")
    lines = [line.split() for line in out.splitlines()]
    assert ["on", "3.2e-06", "S"] in lines
    assert ["fit.slope", "2", "V"] in lines
    assert ["window", "4"] in lines
    code, out, _ = shell("runs", "--runs", ".", "--where", "on>3uS and fit.slope>1999mV")
    assert (code, "own.h5" in out) == (0, True), out
    code, out, _ = shell("runs", "--runs", ".", "--where", "on>4uS")
    assert "own.h5" not in out
    assert shell("table", "own.h5", "--output", "table.parquet")[0] == 0
    (row,) = pyarrow.parquet.read_table("table.parquet").to_pylist()
    assert (row["result.on"], row["result.fit.slope"], row["result.window"]) == (3.2e-6, 2.0, 4.0)


def nested(depth):
    return [nested(depth - 1)] if depth else 1


@pytest.mark.parametrize(
    ("value", "said"),
    daily(
        [
            (object(), "result is of type object"),
            ({1, 2}, "result is of type set"),
            (b"raw", "result is of type bytes"),
            (lambda: 1, "result is of type function"),
            ({"a": {"b": [1, {2}]}}, r"result\.a\.b\[1\] is of type set"),
            ({1: 2}, "result has the key 1 of type int"),
            (1 + 2j, "result is of type complex"),
            (np.array([1j]), "result is an array of 1 complex128"),
            (np.array([{}]), "result is an array of 1 object"),
            (np.zeros(LONGEST + 1), f"result is an array of {LONGEST + 1} float64"),
            (nested(50), "within too many lists"),
            (Found({"cells": {(0, 1)}}), r"result\.cells is of type set"),
            ("x" * 70_000, "the result takes"),
        ],
        6,
    ),
)
def test_what_cannot_be_kept_fails_the_run_and_says_what_it_is(value, said, tmp_path):
    with pytest.raises(RunFileError, match=said):
        carried_out(value, tmp_path / "a.h5")
    with RunFile(tmp_path / "a.h5") as file:
        assert file.status is Status.FAILED
        assert file.reason.startswith("RunFileError: ")


def test_a_result_without_a_summary_reaches_the_command_line(shell, tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "from mho.procedures.base import Procedure\nfrom mho.runs import Layout\n"
        "class Mine(Procedure):\n    'Mine.'\n    def layout(self, plan):\n        return Layout()\n"
        "    def execute(self, plan, bench, stream):\n        return {'window': 3.0}\n"
    )
    monkeypatch.chdir(tmp_path)
    code, out, _ = shell("run", "mine:Mine", "--json")
    result = json.loads(out)
    assert (code, result.pop("conclusion")["line"], result) == (0, "window 3", {"window": 3.0})
