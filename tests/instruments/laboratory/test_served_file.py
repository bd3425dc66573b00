"""Served twins are hardware to who only has their bench file: the check, the hardware tests, a solve, a second process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from repository import ROOT

from mho import run
from mho.errors import BenchError
from mho.instruments import Cell, Pulse, open_bench
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.checks import check_bench
from mho.instruments.laboratory.laboratory import Laboratory
from mho.instruments.laboratory.serving import FIRST_LINE, Server, served_text, write_served
from mho.instruments.laboratory.twins_for_real import stand_in
from mho.procedures import Solve

TEXT = (resources.files("mho.instruments") / "benches/simulated.toml").read_text("utf-8")
NI = TEXT[TEXT.index("[instruments.daq]") : TEXT.index("[instruments.board]")]
BOARD = '[instruments.daq]\ndriver = "array_board"\n\n'
SCANNED = """[instruments.daq]
driver = "keithleydaq6510"
address = "USB0::0x05E6::0x6510::SIM00006::INSTR"
inputs = "101:108"
outputs = "PXI1Slot2/ao0:7"
products = { PXI1Slot2 = "PXIe-6738" }

"""
TEKTRONIX = {NI: BOARD, "keysight33522b": "tektronixafg31000", "0x0957::0x2C07": "0x0699::0x0358"}
B2900 = {
    NI: BOARD, "SIM00002": "SIM00001", "keithley2450": "keysightb2912a", "keysight33522b": "keysight33622a",
    'terminal = "word line"': 'terminal = "word line"\nchannel = 2',
}  # fmt: skip
HEATED = (resources.files("mho.instruments") / "benches/heated.toml").read_text("utf-8")
ON_A_CHUCK = HEATED[HEATED.index("[instruments.chuck]") : HEATED.index("[read]")]
CHUCK = {NI: BOARD, "[read]": f"{ON_A_CHUCK}[read]"}


def edited(folder: Path, changes: dict[str, str]) -> str:
    text = TEXT
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    (folder / "bench.toml").write_text(text, encoding="utf-8")
    return str(folder / "bench.toml")


@contextmanager
def served(bench: str, folder: Path) -> Iterator[tuple[str, Laboratory]]:
    source = load_bench_file(bench)
    lab = Laboratory(stand_in(source), preset="ideal", seed=1)
    with Server(lab, 0) as server:
        write_served(folder / "served.toml", served_text(source, server.endpoints))
        yield str(folder / "served.toml"), lab


def hardware_tests(bench: str, *options: str) -> str:
    """Exit code and report of `pytest --bench` in a process of its own, which knows sockets only."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--bench={bench}", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    return f"{done.returncode}\n{done.stdout}\n{done.stderr}"


def assert_untouched(lab: Laboratory) -> None:
    """What the hardware tests promise of a chip in its socket."""
    seen = lab.monitor.extremes()
    assert lab.incidents == []
    assert lab.monitor.pulses == 0
    assert seen["vector"].voltage <= 0.051
    assert seen["bit line"].current <= 1.1e-6
    assert lab.lines.gate in (None, 0.0)
    assert (lab.board.mode, lab.board.path) == ("SAFE", "OPEN")


@pytest.mark.thorough
def test_the_hardware_tests_pass_on_served_twins(tmp_path):
    """Some of them, on 2636B, 33522B, 707B and board; making safe takes its time at sockets."""
    with served("switched", tmp_path) as (bench, lab):
        told = hardware_tests(
            bench, "-k", "nothing_is_wrong or sweep or pulses or vectors_come or crosspoint"
        )
        assert told.startswith("0\n"), told
        assert "8 passed" in told
        assert_untouched(lab)


@pytest.mark.thorough
def test_the_hardware_tests_of_a_chuck_pass_on_a_served_twin(tmp_path):
    with served(edited(tmp_path, CHUCK), tmp_path) as (bench, lab):
        told = hardware_tests(bench, "-k", "chuck")
        assert told.startswith("0\n"), told
        assert "1 passed" in told
        assert lab.devices["GPIB0::12::INSTR"].loops[1].heater == 0
        assert_untouched(lab)


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes", [None, TEKTRONIX, B2900, CHUCK], ids=["switched", "AFG31000", "B2912A", "336"]
)
def test_all_hardware_tests_pass_on_served_twins(changes, tmp_path):
    with served("switched" if changes is None else edited(tmp_path, changes), tmp_path) as (bench, lab):
        told = hardware_tests(bench)
        assert told.startswith("0\n"), told
        # without a switch matrix, a chuck, or both
        assert "25 passed, 1 skipped" in told or "24 passed, 2 skipped" in told
        assert_untouched(lab)


@pytest.mark.thorough
def test_the_hardware_tests_say_once_what_is_missing(tmp_path):
    with served("switched", tmp_path) as (bench, _):
        pass  # nobody is there any more
    told = hardware_tests(bench)
    assert told.startswith("1\n")
    assert told.count("Connection refused; check the cable and the address !") == 1
    assert "smu connection: 2636B at TCPIP0::127.0.0.1::" in told
    assert "cannot read bench 'none.toml'" in hardware_tests("none.toml")


@pytest.mark.thorough
def test_a_scanning_daq_is_used_over_its_socket(tmp_path):
    with served(edited(tmp_path, {NI: SCANNED}), tmp_path) as (path, lab), lab.daq_session():
        assert check_bench(path).ok
        with open_bench(path) as bench:
            cell = Cell("multiply", 0, 0)
            bench.pulse(cell, Pulse("set", 4.0, 1e-6, 1.6))
            conductance = bench.read(cell)
            bench.connect_multiply("multiply", [0], [0])
            (current,) = bench.multiply(np.array([[0.1]]))[0]
            assert current == pytest.approx(0.1 * conductance, rel=0.05)
        assert lab.incidents == []


@pytest.mark.thorough
def test_a_solve_runs_on_served_twins_as_on_a_real_bench(tmp_path):
    with served("switched", tmp_path) as (bench, lab):
        solution = run(
            Solve(matrix=np.array([[0.8, 0.2], [0.1, 0.7]]), bits=6), bench, seed=1, output=tmp_path / "runs"
        )
        assert solution.converged
        assert solution.summary["virtual_seconds"] < 60.0  # a real bench's clock starts when it is opened
        assert lab.incidents == []
        assert lab.lines.gate in (None, 0.0)


def test_the_bench_file_names_sockets_and_nothing_simulated(tmp_path):
    with served("zuo2025", tmp_path) as (path, _):
        text = Path(path).read_text("utf-8")
        source = load_bench_file(path)
    assert text.startswith(FIRST_LINE)
    assert "# V on the word line" in text  # comments stay
    assert source.bench.simulation is None
    assert source.bench.visa == "@py"
    assert all("127.0.0.1" in address for address in source.bench.instruments.addresses())
    original = load_bench_file("zuo2025").bench
    assert source.bench.limits == original.limits


def test_another_bench_file_is_not_overwritten(tmp_path):
    mine = tmp_path / "mine.toml"
    mine.write_text(TEXT, encoding="utf-8")
    with pytest.raises(BenchError, match=r"mine\.toml was not written by `mho bench serve`: it stays"):
        write_served(mine, "")
    assert mine.read_text("utf-8") == TEXT
    with pytest.raises(BenchError, match="cannot write"):
        write_served(tmp_path / "no folder" / "served.toml", "")


def test_a_file_that_cannot_be_rewritten_is_refused(tmp_path):
    single = edited(
        tmp_path, {'"USB0::0x05E6::0x2450::SIM00001::INSTR"': "'USB0::0x05E6::0x2450::SIM00001::INSTR'"}
    )
    with pytest.raises(BenchError, match="cannot be rewritten for its sockets"), served(single, tmp_path):
        pass
