"""Benchmarks are found by name, measured one by one, and reported to people and to programs."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from repository import ROOT

import benchmarks
from benchmarks import registry
from benchmarks.__main__ import main
from benchmarks.registry import Figure
from mho.instruments.simulated.clock import VirtualClock

GOOD = """
from benchmarks.registry import Figure

def run(repeat):
    return [
        Figure("reads", 400.0, "1/s", "slowpoke", 100.0, target="4 times", met=True, detail={"wire": 0.5}),
        Figure("writes", float(repeat), "1/s", "absent", peer_package="absent-py", threads=2),
    ]
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the package consist of one good and one broken benchmark, and a private module."""
    (tmp_path / "wire_speed.py").write_text(GOOD)
    (tmp_path / "broken.py").write_text("def run(repeat):\n    raise OSError('no bench [here]')\n")
    (tmp_path / "_private.py").write_text("raise SystemExit")
    monkeypatch.setattr(benchmarks, "__path__", [str(tmp_path)])
    for name in ("wire_speed", "broken"):
        monkeypatch.delitem(sys.modules, f"benchmarks.{name}", raising=False)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    importlib.invalidate_caches()
    return tmp_path


def test_benchmarks_are_modules_found_by_name(package: Path):
    assert registry.names() == ["broken", "wire_speed"]


def test_the_table_holds_figure_peer_ratio_and_target(package: Path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["wire_speed", "--repeat", "3"]) == 0
    shown = capsys.readouterr().out
    reads = next(line for line in shown.splitlines() if "wire_speed: reads" in line and "│" in line)
    assert [cell.strip() for cell in reads.strip("│").split("│")] == [
        "wire_speed: reads",
        "400 1/s",
        "slowpoke: 100 1/s",
        "4",
        "4 times",
        "yes",
        "1",
    ]
    assert "absent: not installed (pip install absent-py)" in shown
    assert "wire_speed: reads: wire 0.5" in shown
    assert "thread limits" in shown


def test_one_that_fails_does_not_stop_the_others(package: Path, capsys):
    assert main(["--json"]) == 1
    output = capsys.readouterr()
    broken, good = json.loads(output.out)["benchmarks"]
    assert "OSError: no bench [here]" in broken["error"]
    assert "OSError: no bench [here]" in output.err
    assert good["error"] is None
    assert [figure["ratio"] for figure in good["figures"]] == [4.0, None]


def test_json_names_the_machine(package: Path, capsys):
    assert main(["wire_speed", "--json", "--repeat", "2"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["benchmarks"][0]["figures"][1]["value"] == 2.0
    assert {"processor", "usable cores", "thread limits", "python", "numpy", "blas"} <= set(report["machine"])


def test_an_unknown_name_is_refused_before_anything_runs(package: Path, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["broken", "wirespeed"])
    assert stopped.value.code == 2
    output = capsys.readouterr()
    assert "no benchmark is called 'wirespeed'; did you mean wire_speed?" in output.err
    assert output.out == ""


def test_no_repeat_is_refused(package: Path, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--repeat", "0"])
    assert stopped.value.code == 2
    assert "at least 1" in capsys.readouterr().err


def test_a_median_leaves_out_the_warm_up_and_outliers(monkeypatch):
    clock, pauses = VirtualClock(), iter([0.3, 0.01, 0.2, 0.01])
    monkeypatch.setattr(registry.time, "perf_counter", lambda: clock.now)
    assert registry.median_seconds(lambda: clock.advance(next(pauses)), 3) == pytest.approx(0.01)


def test_a_ratio_may_be_given():
    assert Figure("time", 2.0, "s", "peer", 4.0, ratio=2.0).ratio == 2.0


def test_installed_does_not_import():
    assert not registry.installed("surely_no_such_module")
    assert registry.installed("this")
    assert "this" not in sys.modules


def test_it_runs_as_a_module():
    root = ROOT
    command = [sys.executable, "-m", "benchmarks", "no_such_benchmark"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "no benchmark is called 'no_such_benchmark'" in done.stderr
