"""What `execute` returns is in the run file, or the run has failed: nothing is lost in silence."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mho import run
from mho.errors import RunFileError
from mho.instruments import open_bench
from mho.procedures.base import Procedure
from mho.running.results import LONGEST
from mho.runs import Layout, RunFile, Status


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
class Cell:
    conductance: float
    path: Path = Path()


@pytest.mark.parametrize(
    ("value", "kept"),
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
)
def test_what_is_returned_is_kept(value, kept, tmp_path):
    returned = carried_out(value, tmp_path / "a.h5")
    assert returned is value or returned.path == tmp_path / "a.h5"
    with RunFile(tmp_path / "a.h5") as file:
        assert file.status is Status.FINISHED
        assert {
            name: one for name, one in file.summary.items() if name not in ("wall_seconds", "run_file")
        } == kept


def nested(depth):
    return [nested(depth - 1)] if depth else 1


@pytest.mark.parametrize(
    ("value", "said"),
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
        ("x" * 70_000, "the summary takes"),
    ],
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
    assert (code, json.loads(out)) == (0, {"window": 3.0})
