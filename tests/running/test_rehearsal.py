"""A rehearsal: a real bench's file and drivers, twins behind them, and a report of what would happen on hardware."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import made_of_words
from pymeasure.experiment import BooleanParameter, FloatParameter, Parameter
from repository import ROOT
from rich.console import Console

from mho.cli.experiments.rehearsal import print_rehearsal
from mho.cli.main import UsageError
from mho.errors import Aborted, BenchError, InputError, InstrumentError
from mho.instruments import Bench, Cell, Pulse
from mho.instruments.bench.locking import lock_bench
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.laboratory.twins_for_real import stand_in
from mho.instruments.opening.opening import open_rehearsal
from mho.instruments.simulated.visa.backend import rack_names
from mho.procedures import Procedure, Solve
from mho.procedures.manifest import known_entries
from mho.procedures.stream import Ended, Progress, Started, Stream
from mho.running.rehearsal import Rehearsal, TerminalQuantity, rehearse
from mho.runs import Column, Layout, RunFile, Table

MATRIX = str(ROOT / "mho/chip_maps/matrices/zuo2025-4x4.mtx")
TEXT = (resources.files("mho.instruments") / "benches/simulated.toml").read_text("utf-8")
CELL = Cell("multiply", 0, 0)
FORM = Pulse("set", 4.0, 1e-6, 1.6)


@pytest.fixture
def real(tmp_path) -> str:
    """A bench of real instruments at addresses where nothing is."""
    start, end = TEXT.index("\n[simulation]"), TEXT.index("[instruments.smu]")
    text = f"{TEXT[:start]}\n{TEXT[end:]}".replace("SIM0000", "0451").replace(
        'name = "simulated"', 'name = "lab"'
    )
    path = tmp_path / "lab.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def edited(path: str, old: str, new: str) -> str:
    text = Path(path).read_text("utf-8")
    assert old in text
    Path(path).write_text(text.replace(old, new), encoding="utf-8")
    return path


@dataclass(frozen=True)
class Result:
    value: float
    path: Path = Path()


class Touch(Procedure):
    """Forms a cell, then does what the test wants."""

    word = Parameter("Word", default="")
    level = FloatParameter("Level", units="V", minimum=0.0, maximum=5.0, default=0.5)
    loud = BooleanParameter("Loud", default=False)

    def __init__(self, then: Any = lambda bench: None, **values: Any) -> None:
        super().__init__(**values)
        self.then = then

    def layout(self, plan: None) -> Layout:
        return Layout((Table("t", (Column("time", "s"),), "time", "time"),), default="t")

    def execute(self, plan: None, bench: Bench, stream: Stream) -> Result:
        bench.pulse(CELL, FORM)
        self.then(bench)
        stream.progress("touching", 1, 1)
        return Result(bench.read(CELL))


def printed(rehearsal: Rehearsal) -> str:
    console = Console(file=io.StringIO(), width=100)
    print_rehearsal(rehearsal, console)
    return console.file.getvalue()


def quantity(rehearsal: Rehearsal, terminal: str, name: str) -> TerminalQuantity:
    (found,) = (q for q in rehearsal.quantities if (q.terminal, q.name) == (terminal, name))
    return found


def test_a_procedure_that_leaves_a_generator_running_does_not_pass(real):
    """A burst switched off is not a pulse less: without it the generator runs free."""

    def forget(bench: Bench) -> None:
        bench.instruments.pulser.ch_1.burst_enabled = False
        bench.laboratory.clock.advance(0.1)

    found = rehearse(Touch(forget), real, seed=1, preset="ideal")
    assert found.finished
    assert not found.passed
    assert [incident.kind for incident in found.incidents] == ["running generator", "hot switch"]
    assert "4 V on the bit line" in found.incidents[1].detail
    assert "running generator: bit line: up to 4 V every" in printed(found)


def test_a_level_left_on_the_pulser_is_switched_hot_at_what_it_is(real):
    def hold(bench: Bench) -> None:
        bench.instruments.pulser.write(":SOUR1:BURS:STAT OFF;:SOUR1:FUNC DC;:SOUR1:VOLT:OFFS 2.5")

    found = rehearse(Touch(hold), real, seed=1, preset="ideal")
    assert not found.passed
    assert "2.5 V on the bit line" in found.incidents[0].detail


def test_what_no_rehearsal_can_see_is_said_where_it_reports(real):
    text = printed(rehearse(Touch(), real, seed=1))
    assert "passed: it finished" in text
    assert "not seen by any rehearsal: wires and channels other than the bench file says" in text


@pytest.mark.thorough
def test_a_solve_is_rehearsed_without_its_bench(real, tmp_path, monkeypatch):
    monkeypatch.setenv("MHO_RUNS", str(tmp_path / "runs"))
    rehearsal = rehearse(Solve(matrix=MATRIX, bits=12), real, seed=3)
    assert rehearsal.finished
    assert rehearsal.passed
    assert (rehearsal.bench, rehearsal.preset, rehearsal.seed) == ("lab", "pku", 3)
    assert rehearsal.result.converged
    assert rehearsal.pulses == rehearsal.result.summary["pulses"]
    bit = quantity(rehearsal, "bit line", "voltage")
    assert 3.0 < bit.highest < 4.6 == bit.limit
    assert bit.margin == pytest.approx(4.6 - bit.highest)
    assert quantity(rehearsal, "source line", "pulse width").highest == 1e-7
    assert 0.0 < quantity(rehearsal, "vector", "slew").highest < 250e3
    steepest = quantity(rehearsal, "bit line", "slew")
    assert steepest.highest == pytest.approx(0.8 * bit.highest / 10e-9)
    assert steepest.limit == 400e6
    assert not (tmp_path / "runs").exists()
    assert rehearsal.run_file is None
    assert rehearsal.result.path is None
    assert rack_names() == []


def test_messages_and_time_are_counted_per_instrument(real):
    few = rehearse(Touch(), real, seed=1)
    many = rehearse(Touch(lambda bench: [bench.read(CELL) for _ in range(100)]), real, seed=1)
    by_role = {bus.roles: bus for bus in few.buses}
    assert list(by_role) == ["smu", "gate", "pulser", "daq", "board"]
    assert by_role["smu"].address == "USB0::0x05E6::0x2450::04511::INSTR"
    assert [b.messages - a.messages for a, b in zip(few.buses, many.buses, strict=True)] == [100, 0, 0, 0, 0]
    assert many.bus_seconds - few.bus_seconds == pytest.approx(100 * by_role["smu"].message_time)
    assert many.instrument_seconds > few.instrument_seconds > 0.0
    assert many.hardware_seconds == many.bus_seconds + many.instrument_seconds
    slow = rehearse(Touch(), real, seed=1, message_times={"USB": 1.0})
    assert {b.roles: b.message_time for b in slow.buses}["pulser"] == 1.0


@pytest.mark.usefixtures("own_locks")
def test_a_bench_in_use_may_be_rehearsed(real):
    with lock_bench(load_bench_file(real)):
        assert rehearse(Touch(), real, seed=1).passed


def test_a_run_file_is_left_when_asked_for_and_does_not_pass_for_a_measurement(real, tmp_path):
    rehearsal = rehearse(Touch(), real, seed=1, output=tmp_path / "kept.h5")
    assert rehearsal.run_file == tmp_path / "kept.h5"
    assert rehearsal.result.path == rehearsal.run_file
    with RunFile(rehearsal.run_file) as run:
        assert "A rehearsal: simulated twins" in run.bench
    assert str(rehearsal.run_file) in printed(rehearsal).replace("\n", "")


def test_a_limit_of_the_bench_stops_the_rehearsal_with_its_reason(real):
    tight = edited(real, "voltage = 3.3", "voltage = 2.0")
    rehearsal = rehearse(Solve(matrix=MATRIX, bits=12), tight, seed=3)
    assert not rehearsal.finished
    assert rehearsal.reason.startswith("LimitError: source line: voltage of ")
    assert rehearsal.result is None
    assert "NOT finished: LimitError" in printed(rehearsal)


@pytest.mark.thorough
def test_a_rehearsal_may_go_on_beyond_the_limits_and_tell_all_that_exceed_them(real):
    tight = edited(edited(real, "voltage = 3.3", "voltage = 2.0"), "slew = 400e6", "slew = 100e6")
    rehearsal = rehearse(Solve(matrix=MATRIX, bits=12), tight, seed=3, beyond=True)
    assert rehearsal.finished
    assert not rehearsal.passed
    exceeded = {(q.terminal, q.name) for q in rehearsal.quantities if not q.within}
    assert exceeded == {("source line", "voltage"), ("bit line", "slew")}
    assert {incident.kind for incident in rehearsal.incidents} == {"over limit"}
    source = quantity(rehearsal, "source line", "voltage")
    assert source.limit == 2.0
    assert source.margin == pytest.approx(2.0 - source.highest)
    text = printed(rehearsal)
    assert text.count("EXCEEDED") == 2
    assert "NOT passed" in text


def test_what_fails_on_the_way_is_reported_with_what_happened_before(real):
    def fail(bench: Bench) -> None:
        raise InstrumentError("the meter is gone")

    rehearsal = rehearse(Touch(fail), real, seed=1)
    assert rehearsal.reason == "InstrumentError: the meter is gone"
    assert quantity(rehearsal, "bit line", "voltage").highest == pytest.approx(4.0)


@pytest.mark.parametrize("error", [InputError("no"), Aborted("stopped")])
def test_what_is_not_the_benchs_fault_is_raised(real, error):
    def fail(bench: Bench) -> None:
        raise error

    with pytest.raises(type(error)):
        rehearse(Touch(fail), real, seed=1)
    assert rack_names() == []


def test_what_would_have_hurt_is_reported(real):
    def careless(bench: Bench) -> None:
        bench.instruments.gate.hold(4.3)
        bench.instruments.smu.hold(0.4)
        for path in ("OPEN", "READ") * 4:
            bench.instruments.board.route(path)
        bench.instruments.smu.hold(0.0)

    rehearsal = rehearse(Touch(careless), real, seed=1)
    kinds = [incident.kind for incident in rehearsal.incidents]
    assert kinds[0] == "over limit"
    assert set(kinds[1:]) == {"hot switch"}
    assert rehearsal.finished
    assert not rehearsal.passed
    assert not quantity(rehearsal, "word line", "voltage").within
    text = printed(rehearsal)
    assert "EXCEEDED" in text
    assert "path changed with 0.4 V on the bit line" in text
    assert f"and more: {len(kinds) - 5} hot switch" in text
    assert "NOT passed" in text


def test_the_table_names_values_limits_and_assumptions(real):
    text = printed(rehearse(Touch(), real, seed=1))
    line = next(line for line in text.splitlines() if line.startswith("bit line     voltage"))
    assert line.split("  ")[-1].strip() == "13 %"
    assert "4 V" in line
    assert "4.6 V" in line
    assert "assumed" in text
    assert "1.0 ms" in text
    assert "passed" in text


def test_observers_follow_a_rehearsal(real, tmp_path):
    seen: list[object] = []
    rehearse(Touch(), real, seed=1, observers=[seen.append])
    assert any(isinstance(event, Progress) for event in seen)
    assert not any(isinstance(event, Started | Ended) for event in seen)  # no file is kept
    rehearse(Touch(), real, seed=1, observers=[seen.append], output=tmp_path / "kept.h5")
    assert isinstance(seen[-1], Ended)


def test_a_preset_may_be_chosen_and_an_unknown_one_is_refused(real):
    assert rehearse(Touch(), real, seed=1, preset="ideal").preset == "ideal"
    with pytest.raises(BenchError, match="nonsense"):
        rehearse(Touch(), real, preset="nonsense")


def test_a_simulated_bench_stands_for_itself():
    source = load_bench_file("zuo2025")
    assert stand_in(source) is source
    assert rehearse(Touch(), "zuo2025", seed=1).passed


def test_products_of_the_daq_are_chosen_by_their_channels(real):
    assert stand_in(load_bench_file(real)).bench.instruments.daq.products == {
        "PXI1Slot2": "PXIe-6738",
        "Dev1": "USB-6363",
    }
    other = edited(real, 'products = { PXI1Slot2 = "PXIe-6738", Dev1 = "USB-6363" }', "")
    assert stand_in(load_bench_file(other)).bench.instruments.daq.products == {
        "PXI1Slot2": "PXIe-6738",
        "Dev1": "USB-6363",
    }
    small = edited(edited(other, "PXI1Slot2/ao0:31", "PXI1Slot2/ao0:3"), "Dev1/ai0:31", "PXI1Slot2/ai0:7")
    assert stand_in(load_bench_file(small)).bench.instruments.daq.products == {"PXI1Slot2": "PXIe-6363"}
    with open_rehearsal(load_bench_file(small), preset="ideal", seed=1) as bench:
        bench.connect_multiply("multiply", range(2), range(2))
        assert bench.multiply(np.zeros((1, 2))).shape == (1, 2)
    with pytest.raises(BenchError, match="no simulated DAQ has 40 outputs"):
        stand_in(load_bench_file(edited(small, "PXI1Slot2/ao0:3", "PXI1Slot2/ao0:39")))


# --- a procedure from words ---


def test_a_procedure_is_made_of_words():
    solve = made_of_words("solve", [MATRIX, "--bits", "12", "--encoding", "bias"], seed=7)
    assert isinstance(solve, Solve)
    assert (solve.matrix, solve.bits, solve.encoding, solve.seed) == (MATRIX, 12, "bias", 7)
    assert made_of_words("solve", ["--seed", "9", MATRIX], seed=7).seed == 9
    assert set(known_entries()) >= {"solve"}
    assert "procedure" not in known_entries()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["solve"], "Missing argument 'matrix'."),
        (["solve", MATRIX, "--bits", "many"], "bits is 'many'; give a number"),
        (["solve", MATRIX, "--bits", "99"], "bits is 99; it must be a whole number from 3"),
        (["solve", MATRIX, "--encoding", "x"], "encoding is 'x'; it must be one of auto, bias, differential"),
        (["solve", MATRIX, "--nonsense"], "No such option: --nonsense"),
        (["solve", MATRIX, "nonsense"], "mho verb solve has no argument 'nonsense'; there are --bits, "),
        (["xyzzy"], "there is no procedure 'xyzzy'; there are "),
    ],
)
def test_wrong_words_are_refused(words, told):
    with pytest.raises((InputError, UsageError)) as error:
        made_of_words(words[0], words[1:])
    assert told in str(getattr(error.value, "message", error.value) or error.value.format_message())


@pytest.mark.thorough
def test_units_and_switches_are_options():
    name = f"{__name__}:Touch"
    made = made_of_words(name, ["hello", "--level", "1.5", "--loud"], seed=1)
    assert (made.word, made.level, made.loud) == ("hello", 1.5, True)
    assert made_of_words(name, ["hello"]).loud is False
    assert math.isclose(made_of_words(name, ["x", "--level=2e-3"]).level, 2e-3)
