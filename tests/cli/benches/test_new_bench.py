"""`mho bench new`: by options, and by questions to somebody at a terminal."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import Shell
from fake_machine import machine
from repository import ROOT

import mho
from mho import doctor
from mho.instruments.bench_file import load_bench_file
from mho.running.rehearsal import rehearse

OPTIONS = {
    "--read": "keithley2450@GPIB0::4::INSTR", "--gate": "keithley2450@GPIB0::5::INSTR",
    "--pulse": "keysight33522b@GPIB0::10::INSTR", "--board": "ASRL3::INSTR", "--vectors": "-", "--chip": "reference",
    "--bit-line": "4.6V", "--source-line": "3300mV", "--word-line": "4", "--current": "1mA", "--pulse-width": "10us",
}  # fmt: skip
IDENTITIES = {
    "GPIB0::4::INSTR": "KEITHLEY INSTRUMENTS,MODEL 2450,1,1.7", "GPIB0::5::INSTR": "KEITHLEY INSTRUMENTS,MODEL 2450,2,1.7",
    "GPIB0::10::INSTR": "Agilent Technologies,33522B,MY1,5.03",
}  # fmt: skip


def words(**changed: str | None) -> list[str]:
    options = OPTIONS | {f"--{name.replace('_', '-')}": value for name, value in changed.items()}
    return [word for name, value in options.items() if value is not None for word in (name, value)]


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that were asked for their identity, on a machine with three instruments and a serial port."""
    addresses: list[str] = []

    def identify(library: str, *those: str) -> dict[str, Any]:
        addresses.extend(those)
        return {one: {"identity": IDENTITIES[one]} for one in those}

    probes = {"visa_ivi": {"paths": ["x"], "resources": ["ASRL3::INSTR", *IDENTITIES]}, "identify": identify}
    monkeypatch.setattr(doctor, "Machine", lambda: machine(tmp_path / "machine", probes=probes))
    return addresses


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    return Shell(tmp_path / "runs", monkeypatch, capsys)


class Terminal(io.StringIO):
    """What somebody types."""

    def isatty(self) -> bool:
        return True


def test_it_is_written_by_options_alone_and_checked_on_twins(
    shell: Shell, asked: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "lab.toml"
    code, out, _ = shell("bench", "new", path, *words())
    assert code == 0, out
    assert "MODEL 2450" in out
    assert f"mho rehearse {path} read" in out
    assert re.search(r"invert +daq and board", out)  # what it can do
    assert re.search(r"solve +can run", out)
    limits = load_bench_file(str(path)).bench.terminal_limits().terminals
    assert (limits["source line"].voltage, limits["word line"].voltage) == (3.3, 4.0)
    assert asked == []


def test_limits_beyond_what_cells_bear_are_wrong(shell: Shell, asked: list[str], tmp_path: Path) -> None:
    code, out, _ = shell("bench", "new", tmp_path / "lab.toml", *words(bit_line="9V"))
    assert code == 1
    assert "1 wrong" in out


def test_nobody_is_asked_in_a_pipe(shell: Shell, asked: list[str], tmp_path: Path) -> None:
    line = shell.refused("bench", "new", tmp_path / "lab.toml", *words(bit_line=None, gate=None))
    assert line == "nobody can be asked here: give --gate, --bit-line"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"read": "keithley2450"}, "--read is 'keithley2450'; write DRIVER@ADDRESS"),
        ({"vectors": "Dev1/ao0:3"}, "--vectors is 'Dev1/ao0:3'; write OUTPUTS,INPUTS"),
        ({"current": "1kg"}, "--current is '1kg'"),
        ({"chip": "nonsense"}, "nonsense"),
        ({"gate": "nonsense@GPIB0::5::INSTR"}, "no such driver here"),
        ({"gate": OPTIONS["--read"]}, "--gate is channel 1 of keithley2450@GPIB0::4::INSTR, which reads"),
        ({"read": "none"}, "nobody can be asked here: give --tester, --serves"),
        ({"read": "my.py:Meter@GPIB0::4::INSTR"}, "--read names my.py:Meter: "),
        (
            {"read": "keithley2450,my.py:Twin@GPIB0::4::INSTR"},
            "keithley2450 has its own: leave my.py:Twin out",
        ),
        ({"matrix": "keithley707b@GPIB0::16::INSTR"}, "--matrix has no use on this bench"),
        ({"gate": "none"}, "--word-line has no use on this bench: leave it out"),
        ({"pulse": "none"}, "--source-line has no use on this bench"),
        ({"board": "none", "vectors": None}, "nobody can be asked here: give --bias-tee"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_written(
    changed: dict[str, str], said: str, shell: Shell, asked: list[str], tmp_path: Path
) -> None:
    assert said in shell.refused("bench", "new", tmp_path / "lab.toml", *words(**changed))
    assert not list(tmp_path.glob("*.toml")) + list(tmp_path.glob(".*"))


def test_a_file_that_is_there_is_never_touched(shell: Shell, asked: list[str], tmp_path: Path) -> None:
    path = tmp_path / "lab.toml"
    path.write_text("mine")
    assert "is there already" in shell.refused("bench", "new", path, *words())
    assert path.read_text() == "mine"


def test_one_unit_alone_by_options(shell: Shell, asked: list[str], tmp_path: Path) -> None:
    path = tmp_path / "lab.toml"
    one = words(
        read="analyser=keithley2636b@GPIB0::26::INSTR", gate="keithley2636b:2@GPIB0::26::INSTR", pulse="read",
        board="none", vectors=None, source_line=None, chip="device", pulse_width="10ms",
    )  # fmt: skip
    code, out, _ = shell("bench", "new", path, *one)
    assert code == 0, out
    assert re.search(r"pulse +analyser \(pulses by a source-measure unit\)", out)
    assert re.search(r"iv +can run", out)
    assert re.search(r"solve +cannot run: nothing serves `invert`", out)


def test_a_generator_beside_the_meter_without_a_board_is_asked_for_its_bias_tee(
    shell: Shell, asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lab.toml"
    # the bus; meter, gate, generator, board, matrix; bias tee; then the chip, and volts, without the source line's
    typed = ["y", "", "none", "", "", "", "n", "y", "", "", "none", "", ""]
    monkeypatch.setattr(sys, "stdin", Terminal("\n".join(typed) + "\n"))
    code, out, err = shell("bench", "new", path)
    assert code == 0, (out, err)
    assert "name the array board, or the switch matrix" in err
    bench = load_bench_file(str(path)).bench
    assert bench.chip == "device"
    assert bench.instruments.pulser.bias_tee
    assert set(bench.operations()) == {"select", "read", "sweep", "pulse", "waveform"}
    assert (set(bench.limits), bench.limits["bit line"].pulse_width) == ({"bit line"}, 0.01)


def test_a_meter_that_pulses_by_itself_is_suggested_longer_pulses_than_the_chip_s(
    shell: Shell, asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lab.toml"
    monkeypatch.setattr(sys, "stdin", Terminal("n\n\n"))
    code, out, err = shell("bench", "new", path, *words(pulse="read", source_line=None, pulse_width=None))
    assert code == 0, (out, err)
    assert load_bench_file(str(path)).bench.limits["bit line"].pulse_width == 0.01


@pytest.mark.parametrize("agreed", [True, False])
def test_at_a_terminal_it_asks_and_suggests_what_it_has_found(
    agreed: bool, shell: Shell, asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lab.toml"
    suggested = ["", "", ""] if agreed else [OPTIONS[name] for name in ("--read", "--gate", "--pulse")]
    typed = ["y" if agreed else "n", *suggested, "ASRL3::INSTR", "", "", "", "", "", "", ""]
    monkeypatch.setattr(sys, "stdin", Terminal("\n".join(typed) + "\n"))
    code, out, err = shell("bench", "new", path)
    assert code == 0, (out, err)
    assert asked == (list(IDENTITIES) if agreed else [])
    tools = load_bench_file(str(path)).bench.instruments
    assert (tools.smu.address, tools.gate.address, tools.pulser.address) == tuple(IDENTITIES)
    assert load_bench_file(str(path)).bench.terminal_limits().terminals["bit line"].voltage == 5.0


def test_an_answer_that_cannot_be_is_asked_for_again(
    shell: Shell, asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = ["n", "five volts", "1kg", "4.5V"]
    monkeypatch.setattr(sys, "stdin", Terminal("\n".join(typed) + "\n"))
    path = tmp_path / "lab.toml"
    code, _, err = shell("bench", "new", path, *words(bit_line=None))
    assert code == 0, err
    assert err.count("mho: --bit-line is") == 2
    assert load_bench_file(str(path)).bench.terminal_limits().terminals["bit line"].voltage == 4.5


def test_who_stops_answering_has_written_nothing(
    shell: Shell, asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    code, _, err = shell("bench", "new", tmp_path / "lab.toml", *words(bit_line=None))
    assert code == 130
    assert err.splitlines()[-1].endswith("mho: stopped; nothing was written")
    assert not (tmp_path / "lab.toml").exists()


BENCHES = ROOT / "docs" / "benches"
EIGHT = {"chip": "eight-by-eight.toml", "vectors": None, "board": "none"}
OWN = "own.py:Meter,own.py:SimulatedMeter@GPIB0::4::INSTR"
ROW = {
    "read": "keithley2400@GPIB0::4::INSTR", "matrix": "keithley707b@GPIB0::16::INSTR", "rows": "read=1A",
    "bit-columns": "101:108", "source-columns": "none", "word-columns": "none", "gate": "none", "word-line": None,
    "source-line": None, "chip": "row-of-eight.toml", "pulse": "read", "pulse-width": "100ms",
}  # fmt: skip
MICROCONTROLLER = (
    "microcontroller.py:Microcontroller,simulated_microcontroller.py:SimulatedMicrocontroller@ASRL5::INSTR"
)
WRITTEN = {
    "a row of devices": (EIGHT | ROW, {"select", "read", "sweep", "pulse"}),
    "a matrix in front of all lines": (
        EIGHT | {
            "matrix": "keysightb2201a@GPIB0::22::INSTR",
            "rows": "read=input 1, gate=input 2, pulse=input 3, pulse 2=input 4, ground=input 5",
            "bit-columns": "1:8", "source-columns": "output 9:16", "word-columns": "17:24", "bit-line": "4.6V",
        },
        {"select", "read", "sweep", "gate", "pulse", "waveform"},
    ),
    "a meter of one's own, which pulses, too": (
        EIGHT | ROW | {"read": OWN}, {"select", "read", "sweep", "pulse"},
    ),
    "a gate of one's own": (
        EIGHT | {
            "gate": OWN.replace("::4", "::5"), "pulse": "none", "source-line": None, "pulse-width": None, "chip": "device",
        },
        {"select", "read", "sweep", "gate"},
    ),
    "a generator of one's own without a twin": (
        EIGHT | {
            "pulse": "mine=own.py:Generator@GPIB0::10::INSTR", "source-line": "none", "chip": "device", "matrix": "none",
        },
        {"select", "read", "sweep", "gate", "pulse"},
    ),
    "one that addresses cells by itself": (
        EIGHT | {
            "read": "none", "gate": None, "pulse": None, "board": None, "source-line": None, "pulse-width": "10ms",
            "tester": f"controller={MICROCONTROLLER}", "serves": "select, read,gate,pulse,multiply",
        },
        {"select", "read", "gate", "pulse", "multiply"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("changed", "operations"), WRITTEN.values(), ids=WRITTEN)
def test_a_matrix_and_instruments_of_ones_own_are_written_load_and_rehearse(
    changed: dict[str, str], operations: set[str], shell: Shell, asked: list[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for path in BENCHES.iterdir():
        if path.suffix in (".py", ".toml"):
            (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "own.py").write_text(OWN_CLASSES, "utf-8")
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "lab.toml"
    options = words(**{name.replace("-", "_"): value for name, value in changed.items()})
    if (changed.get("pulse") or "").startswith("mine"):
        options.append("--bias-tee")
    code, out, err = shell("bench", "new", path, *options)
    assert code == 0, (out, err)
    bench = load_bench_file(str(path)).bench
    assert set(bench.operations()) == operations
    rehearsed = rehearse(mho.Read(), str(path), seed=1)
    assert rehearsed.passed, rehearsed
    if "mine" in bench.instruments.root:
        assert "has no simulated twin" in rehearsed.untwinned[0]


OWN_CLASSES = """
from mho.instruments.drivers.keithley2450 import Keithley2450
from mho.instruments.simulated.keithley2450 import SimulatedKeithley2450


class Meter(Keithley2450):
    pass


class SimulatedMeter(SimulatedKeithley2450):
    pass


class Generator:
    edge = 10e-9

    def __init__(self, address, visa_library="", edge=10e-9): ...
    def identify(self): ...
    def settings(self): ...
    def make_safe(self): ...
    def close(self): ...
    def configure(self, channel): ...
    def shape(self, channel, *, voltage, width): ...
    def fire(self, channel, count=1): ...
"""


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"rows": "1A=read"}, "--rows is '1A=read'; write what is at which row"),
        ({"bit-columns": "one"}, "--bit-columns is 'one'; write columns and ranges of them"),
        ({"rows": "gate=1A"}, "'gate' is no source; there are smu"),
        ({"bit-columns": "101:107"}, "7"),
        ({"word-columns": "201:208"}, 'a row named "gate"'),
    ],
)
def test_a_matrix_that_cannot_be_so_is_refused(
    changed: dict[str, str],
    said: str,
    shell: Shell,
    asked: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "row-of-eight.toml").write_bytes((BENCHES / "row-of-eight.toml").read_bytes())
    monkeypatch.chdir(tmp_path)
    options = {name.replace("-", "_"): value for name, value in (EIGHT | ROW | changed).items()}
    assert said in shell.refused("bench", "new", tmp_path / "lab.toml", *words(**options))
    assert not (tmp_path / "lab.toml").exists()
