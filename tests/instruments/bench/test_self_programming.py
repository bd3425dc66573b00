"""A chip that programs itself, over SPI: what it reaches, what it says when it cannot, and that it ends safe."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pytest
from repository import ROOT
from used_operations import operations_used

from mho import run
from mho.errors import Aborted, BenchError, InputError, InstrumentError, LimitError, RunWarning
from mho.extensions.calibration.pulse_records import PulseTable
from mho.gui.bench.facts import last_in_words
from mho.instruments.bench_file import load_bench_file
from mho.instruments.checks import check_bench
from mho.instruments.opening.opening import open_rehearsal
from mho.instruments.roles import Cell, ProgrammedCell, Pulse
from mho.procedures import Multiply, Program, Read, Refresh, check_needs, stream
from mho.procedures.stream import Control, Progress
from mho.running.continuing import resume
from mho.running.trust import allow_all
from mho.runs import RunFile

BENCHES = ROOT / "docs/benches"
BENCH = str(BENCHES / "self-programming.toml")
CELL = Cell("multiply", 2, 3)
CODE = 0.5e-6  # S, of the chip's converter
URL = "ftdi://ftdi:232h/1"


def described(folder: Path, *changes: tuple[str, str], driver: tuple[tuple[str, str], ...] = ()) -> str:
    """Return the path of a copy of the bench, changed, with the files beside it and its driver changed."""
    for path in BENCHES.glob("*self*programming*"):
        text = path.read_text("utf-8")
        for old, new in {".toml": changes, ".py": driver}.get(path.suffix, ()):
            text = text.replace(old, new)
        (folder / path.name).write_text(text, "utf-8")
    return str(folder / "self-programming.toml")


def rehearsed(path: str = BENCH, seed: int = 1):
    return open_rehearsal(load_bench_file(path), seed=seed)


def twin_of(bench):
    return bench.laboratory.libraries[URL]


def still_stuck(bench, cell: Cell) -> ProgrammedCell:
    """Let a cell be one that no pulse changes, and program it."""
    chip = bench.laboratory.chip
    bench.read(cell)
    twin_of(bench)._cells.pulse = lambda *pulse: None
    assert chip is not None
    return bench.program(cell, 20e-6, 1.2e-6)


# --- what it reaches ---


def test_cells_are_formed_once_and_brought_to_their_levels_as_their_converter_tells_them():
    with rehearsed() as bench:
        assert bench.programs
        assert bench.read(CELL) == 0.0
        first = bench.program(CELL, 20e-6, 1.2e-6)
        assert first.reached
        assert bench.forming.is_formed(CELL)
        assert first.pulses >= 2  # with those of forming
        twin = twin_of(bench)
        twin._form = lambda: pytest.fail("formed again")
        for target, tolerance in ((0.3e-6, 0.3e-6), (8e-6, 1.2e-6), (28e-6, 1.2e-6), (0.2e-6, 0.3e-6)):
            done = bench.program(CELL, target, tolerance)
            assert done.reached
            assert abs(done.conductance - target) <= tolerance + 1e-12
            assert done.conductance / CODE == pytest.approx(round(done.conductance / CODE))
            assert abs(bench.read(CELL) - done.conductance) <= 3 * CODE
        assert bench.laboratory.incidents == []
    assert bench.laboratory.live() == ()


def test_pulses_of_forming_count_and_each_cell_is_addressed_anew():
    other = Cell("multiply", 5, 1)
    with rehearsed() as bench:
        tester, form, program = (
            bench.instruments.tester,
            bench.instruments.tester.form,
            bench.instruments.tester.program,
        )
        counts = []
        tester.form = lambda: counts.append(form()) or counts[-1]
        tester.program = lambda *aim: counts.append(program(*aim)) or counts[-1]
        done = bench.program(CELL, 24e-6, 1.2e-6)
        assert [one.pulses > 0 for one in counts] == [True, True]
        assert done.pulses == sum(one.pulses for one in counts)
        bench.program(other, 8e-6, 1.2e-6)
        bench.program(CELL, 16e-6, 1.2e-6)
        assert abs(bench.read(other) - 8e-6) <= 2e-6
        assert abs(bench.read(CELL) - 16e-6) <= 2e-6


def test_what_is_in_its_window_already_gets_no_pulse():
    with rehearsed() as bench:
        bench.program(CELL, 16e-6, 1.2e-6)
        assert bench.program(CELL, 16e-6, 1.2e-6).pulses <= 2
        twin = twin_of(bench)
        twin._convert = lambda: twin._registers.__setitem__(8, 32) or 32  # reads 16 uS
        assert bench.program(CELL, 16e-6, 1.2e-6) == (pytest.approx(16e-6), 0, True)


def test_a_cell_beyond_the_fine_range_is_read_on_the_coarse_one_and_one_beyond_that_is_no_conductance():
    with rehearsed() as bench:
        twin_of(bench)._cells.read = lambda cell, volts, aperture: 50e-6
        assert bench.read(CELL) == pytest.approx(250e-6, abs=8e-6)
        twin_of(bench)._cells.read = lambda cell, volts, aperture: 150e-6
        with pytest.raises(BenchError, match="ran into the current limit"):
            bench.read(CELL)
        with pytest.raises(InputError, match=r"the chip reads at 0.01 to 1 V, not at -0.2 V"):
            bench.read(CELL, -0.2)


def test_time_passes_for_frames_and_while_the_chip_works():
    with rehearsed() as bench:
        bench.read(CELL)
        before = bench.now()
        bench.read(CELL)
        one = bench.now() - before
        assert 1e-3 < one < 10e-3  # some ten frames of 149 us
        still_stuck(bench, CELL)
        assert bench.now() - before > one + 200 * 10e-6


def test_a_cell_that_no_pulse_changes_is_reported_as_failed_after_as_many_pulses_as_it_may_have():
    with rehearsed() as bench:
        bench.program(CELL, 8e-6, 1.2e-6)
        done = still_stuck(bench, CELL)
        assert not done.reached
        assert done.pulses == 200
        assert abs(done.conductance - 8e-6) < 3e-6


def test_a_cell_that_cannot_be_formed_is_not_programmed():
    with rehearsed() as bench:
        done = still_stuck(bench, CELL)
        assert not done.reached
        assert done.pulses == 7  # 3.3 to 4.5 V
        assert not bench.forming.is_formed(CELL)


def test_a_chip_that_does_not_form_cells_programs_them_as_they_are(tmp_path):
    path = described(tmp_path, driver=(("def form(", "def _form("),))
    with rehearsed(path) as bench:
        done = bench.program(CELL, 20e-6, 1.2e-6)
        assert done.pulses == 200  # 3 V do not form it
        assert not done.reached


def test_a_program_can_be_stopped_before_it_and_counts_as_what_acts_on_the_chip():
    def stop():
        raise KeyboardInterrupt

    with rehearsed() as bench:
        bench.read(CELL)
        assert not bench.damage.acted
        bench.checkpoint = stop
        with pytest.raises(KeyboardInterrupt):
            bench.program(CELL, 8e-6, 1.2e-6)
        assert not bench.damage.acted
        bench.checkpoint = lambda: None
        bench.program(CELL, 8e-6, 1.2e-6)
        assert bench.damage.acted
        assert bench.states()["tester"].value == "ON, at rest at 0 V"
        bench.checkpoint = stop
        twin_of(bench)._pulse = lambda *pulse: pytest.fail("a pulse")
        with pytest.raises(KeyboardInterrupt):  # of a formed cell, which is not read first
            bench.program(CELL, 16e-6, 1.2e-6)
    with pytest.raises(BenchError, match="is closed"):
        bench.program(CELL, 8e-6, 1.2e-6)


# --- what it refuses ---


@pytest.mark.parametrize(
    ("target", "tolerance", "says"),
    [
        (2e-6, 1.2e-6, r"the chip has no level within 2 uS \+- 1.2 uS; its `levels` in the .* are 0 to 0.5, 3 to 5"),
        (4e-6, 0.5e-6, r"no level within 4 uS \+- 0.5 uS"),
        (3.1e-6, 1.2e-6, "no level within 3.1 uS"),
        (-1e-6, 1e-6, "target conductance is -1e-06; give a finite number from 0"),
        (float("nan"), 1e-6, "target conductance is nan"),
        (4e-6, -1.0, "tolerance of a target conductance is -1.0"),
    ],
)  # fmt: skip
def test_a_target_between_the_levels_is_refused_and_the_cell_left_alone(target, tolerance, says):
    with rehearsed() as bench:
        bench.program(CELL, 8e-6, 1.2e-6)
        twin_of(bench)._pulse = lambda *pulse: pytest.fail("a pulse")
        with pytest.raises(InputError, match=says):
            bench.program(CELL, target, tolerance)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("voltage = 4.6 ", "voltage = 4.4 "), "bit line"),  # of forming
        (("voltage = 3.0 ", "voltage = 2.9 "), "source line"),
        (("voltage = 4.0 ", "voltage = 2.7 "), "word line"),
        (("voltage = 4.6 ", "pulse_width = 2e-6\nvoltage = 4.6 "), "bit line"),
    ],
)
def test_pulses_of_the_chips_own_are_held_against_the_limits_before_anything_is_sent(tmp_path, change, says):
    with rehearsed(described(tmp_path, change)) as bench:
        twin_of(bench).transfer = lambda *frame: pytest.fail("sent")
        with pytest.raises(LimitError, match=says):
            bench.program(CELL, 8e-6, 1.2e-6)
        del twin_of(bench).transfer


def test_pulses_beyond_what_a_formed_cell_bears_are_refused(tmp_path):
    path = described(tmp_path)
    chip = tmp_path / "self-programming-chip.toml"
    text = chip.read_text("utf-8")
    chip.write_text(text.replace("bit_line = 4.0", "bit_line = 2.9"), "utf-8")
    with rehearsed(path) as bench:
        twin_of(bench)._pulse = lambda *pulse: pytest.fail("formed")
        with pytest.raises(LimitError, match=r"2.9 V that a formed cell bears"):
            bench.program(CELL, 8e-6, 1.2e-6)


def test_a_run_of_pulses_that_are_not_allowed_is_refused_before_it_has_a_file(tmp_path):
    path = described(tmp_path, ("voltage = 4.6 ", "voltage = 4.4 "))
    with rehearsed(path) as bench, pytest.raises(LimitError, match="bit line"):
        run(Program(digits=np.array([[3]])), bench, seed=1, output=tmp_path / "run.h5")
    assert not (tmp_path / "run.h5").exists()


def test_a_driver_that_does_not_say_what_it_applies_is_told_so(tmp_path):
    path = described(tmp_path, driver=(("self.program_pulses, self", "self._pulses, self"),))
    with rehearsed(path) as bench, pytest.raises(BenchError, match="give it the attribute `program_pulses`"):
        bench.program(CELL, 8e-6, 1.2e-6)


def test_a_bench_without_such_a_chip_says_so():
    with rehearsed(str(BENCHES / "microcontroller.toml")) as bench:
        assert not bench.programs
        with pytest.raises(
            BenchError, match=r"nothing that serves `program` .*a chip with write-verify of its own"
        ):
            bench.program(CELL, 8e-6, 1.2e-6)


# --- what can go wrong ---


@pytest.mark.parametrize(
    "answer",
    [None, 8e-6, (float("nan"), 3, True), (8e-6, -1, True), (8e-6, 2.5, True), (8e-6, 3, "yes"), (9.5e-6, 3, True), ()],
)  # fmt: skip
def test_nonsense_is_no_programmed_cell(answer):
    with rehearsed() as bench:
        bench.instruments.tester.program = lambda target, tolerance: answer
        with pytest.raises(
            InstrumentError, match=r"SelfProgrammingChip.program answered .*: nothing of it is kept"
        ):
            bench.program(CELL, 8e-6, 1.2e-6)
    assert bench.laboratory.live() == ()


def test_a_chip_that_is_busy_for_ever_ends_the_run_in_a_sentence_and_is_stopped(tmp_path):
    path = described(tmp_path, ("\nlevels = [", "\ntimeout = 0.05\nlevels = ["))

    def for_ever():
        while True:
            yield 1e-3

    def work():
        with rehearsed(path) as bench:
            benches.append(bench)
            twin_of(bench)._program = for_ever
            bench.program(CELL, 8e-6, 1.2e-6)

    benches: list = []
    with pytest.raises(InstrumentError, match=r"^the chip is busy with command 2 for 0.05 s$"):
        work()
    assert benches[0].laboratory.live() == ()
    assert not twin_of(benches[0])._on


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (b"\xff\xff\xff", "the chip answered ff ff ff"),
        (bytes(3), "answered 00 00 00"),
        (b"", "answered nothing"),
    ],
)
def test_a_bus_with_nothing_on_it_is_told(frame, says):
    def work():
        with rehearsed() as bench:
            twin_of(bench).transfer = lambda *out: frame
            try:
                bench.read(CELL)
            finally:
                del twin_of(bench).transfer

    with pytest.raises(InstrumentError, match=f"{says}: look after its supply and its wires"):
        work()


def test_a_bridge_that_is_pulled_out_is_told():
    def gone(*frame):
        raise OSError("UsbError: [Errno 19] No such device")

    with rehearsed() as bench:
        twin_of(bench).transfer = gone
        with pytest.raises(InstrumentError, match="the bridge of the chip does not answer: UsbError"):
            bench.read(CELL)
        del twin_of(bench).transfer


def test_a_chip_that_has_lost_its_settings_gets_them_again():
    with rehearsed() as bench:
        bench.program(CELL, 8e-6, 1.2e-6)
        twin = twin_of(bench)
        twin._registers[10:], twin._unset = [0] * len(twin._registers[10:]), True  # its supply failed
        with pytest.raises(InstrumentError, match="the chip has lost its settings"):
            bench.program(CELL, 16e-6, 1.2e-6)
        bench.safe()
        assert bench.program(CELL, 16e-6, 1.2e-6).reached


def test_a_register_that_keeps_another_value_is_told():
    with rehearsed() as bench:
        twin = twin_of(bench)
        take = twin._take
        twin._take = lambda register, value: take(register, value & 0xF7)
        with pytest.raises(InstrumentError, match=r"register 11 of the chip has 2, not 10 as written"):
            bench.program(CELL, 8e-6, 1.2e-6)
        del twin._take


def test_control_c_in_the_middle_of_programming_leaves_the_chip_off():
    def work():
        with rehearsed() as bench:
            benches.append(bench)
            bench.program(CELL, 8e-6, 1.2e-6)
            twin = twin_of(bench)
            twin._cells.pulse = lambda *pulse: None  # so that it takes long
            transfer = twin.transfer

            def interrupted(out, seconds):
                if twin._on and twin._registers[9] > 20:
                    twin.transfer = transfer
                    working.append((twin._on, twin._acts is not None, bench.laboratory.live()))
                    raise KeyboardInterrupt
                return transfer(out, seconds)

            twin.transfer = interrupted
            bench.program(CELL, 20e-6, 1.2e-6)

    benches: list = []
    working: list = []
    with pytest.raises(KeyboardInterrupt):
        work()
    assert working == [(True, True, ("tester",))]
    assert benches[0].laboratory.live() == ()
    assert (twin_of(benches[0])._on, twin_of(benches[0])._acts) == (False, None)


def test_a_chip_whose_charge_pump_stays_on_is_not_believed_safe():
    def work():
        with rehearsed() as bench:
            bench.read(CELL)
            twin_of(bench)._power = lambda on: setattr(twin_of(bench), "_on", True)

    with pytest.raises(BenchError, match="charge pump is still on"):
        work()


# --- procedures ---


def test_a_block_is_programmed_by_the_chip_and_its_record_says_so(tmp_path):
    digits = np.array([[0, 1, 2], [5, 6, 7]])
    with rehearsed(seed=3) as bench, operations_used(bench) as used:
        program = Program(digits=digits)
        done = run(program, bench, seed=1, output=tmp_path / "run.h5")
    assert used.all() == ("select", "read", "program")
    assert {*program.needed()} == {*used.all()}
    assert done.failed == 0
    with RunFile(tmp_path / "run.h5") as kept:
        rows = kept.table("pulses")
        assert (rows["kind"] == 3).sum() >= digits.size
        assert np.isnan(rows["voltage"][rows["kind"] == 3]).all()
        assert np.isfinite(rows["conductance"]).all()
        pulses = kept.map("multiply_pulses")
        np.testing.assert_array_equal(pulses, done.pulses)
        assert done.summary["pulses"] == done.pulses.sum() > 0
        assert any("the chip programs its cells by itself" in one.message for one in kept.log())
    assert (
        not PulseTable("pulses", "pulses").columns(rows)["kind"].any()
    )  # none that a calibration could learn by
    last = {name: values[rows["kind"] == 3][0] for name, values in rows.items()}
    assert last_in_words(last, ("multiply",)) == "programmed by the chip itself, multiply[0, 0]: 500 nS"


def test_cells_that_fail_are_counted_by_how_they_ended():
    with rehearsed() as bench:
        bench.program(Cell("multiply", 0, 0), 8e-6, 1.2e-6)
        twin_of(bench)._cells.pulse = lambda *pulse: None
        with pytest.warns(RunWarning, match="2 cells read outside"):
            done = run(Program(digits=np.array([[6, 6]]), passes=0), bench, seed=1, output=None)
    assert done.summary["outcomes"] == {"out_of_pulses": 1, "unformed": 1}


def test_a_product_is_taken_cell_by_cell_of_what_the_chip_programmed():
    with rehearsed(seed=3) as bench, operations_used(bench) as used:
        multiply = Multiply(matrix=np.array([[3.0, 1.0], [0.0, 2.0]]), bits=3, shots=2)
        done = run(multiply, bench, seed=1, output=None)
    assert used.all() == ("select", "read", "program", "multiply")
    assert {*multiply.needed()} == {*used.all()}
    assert done.summary["relative_error"] < 0.15


@pytest.mark.parametrize("settings", [{"strategy": "gdp"}, {"write_verify": "verify=row"}])
def test_what_pulses_cells_from_the_computer_is_refused_on_it(settings):
    with rehearsed() as bench, pytest.raises(InputError, match="programs them by itself: leave both out"):
        run(Program(digits=np.array([[1]]), **settings), bench, seed=1, output=None)


def test_program_needs_the_chips_own_or_a_gate_and_pulses():
    check_needs(Program(digits=np.array([[1, 2]])), load_bench_file(BENCH).bench)
    check_needs(
        Program(digits=np.array([[1, 2]])), load_bench_file(str(BENCHES / "microcontroller.toml")).bench
    )
    check_needs(Read(), load_bench_file(BENCH).bench)
    with pytest.raises(BenchError) as refused:
        check_needs(
            Program(digits=np.array([[1]])), load_bench_file(str(BENCHES / "probe-station.toml")).bench
        )
    assert "nothing there serves `gate` (hold" in str(refused.value)
    assert "`program`" in str(refused.value).partition("; describe")[2]
    assert "nothing there serves `pulse`" not in str(refused.value)


# --- the bench, and the library that the twin stands for ---


def test_the_check_of_the_bench_reads_a_cell_and_finds_it_off(tmp_path):
    path = described(tmp_path, ("\n[read]", "\n[simulation]\n\n[read]"))
    found = {(one.subject, one.what): one for one in check_bench(path).findings}
    assert (found["tester", "output"].verdict, found["tester", "output"].detail) == ("ok", "off")
    assert found["tester", "identity"].detail == "self-programming chip, serial 8"


def test_the_twin_takes_what_pyftdi_takes():
    spi = pytest.importorskip("pyftdi.spi")
    with rehearsed() as bench:
        twin = twin_of(bench)
        port = twin.get_port(0)
        ours = [twin.configure, twin.get_port, twin.close, port.exchange]
        controller, theirs_port = spi.SpiController, spi.SpiPort
        theirs = [controller.configure, controller.get_port, controller.close, theirs_port.exchange]
        for our, their in zip(ours, theirs, strict=True):
            parameters = list(inspect.signature(their).parameters.values())[1:]
            mine = list(inspect.signature(our).parameters.values())
            assert [(one.name, one.kind) for one in mine] == [(one.name, one.kind) for one in parameters]
            assert [one.default for one in mine] == [one.default for one in parameters]


def test_largest_pulses_are_those_of_the_bench_file(tmp_path):
    path = described(tmp_path, ("\nlevels = [", "\nforming_voltage = 3.7\nlevels = ["))
    with rehearsed(path) as bench:
        assert bench.instruments.tester.forming_pulses == (Pulse("set", 3.7, 10e-6, 1.6),)
        assert still_stuck(bench, CELL).pulses == 3  # 3.3, 3.5, 3.7 V


def test_a_program_that_was_stopped_goes_on_with_the_cells_that_are_left(tmp_path, monkeypatch):
    path = described(tmp_path, ("\n[read]", "\n[simulation]\n\n[read]"))
    monkeypatch.chdir(tmp_path)  # where its driver is
    monkeypatch.setattr(stream, "PACE", -1.0)
    control = Control()

    def stop(event):
        if isinstance(event, Progress) and event.detail.get("pulses", 0) > 20:
            control.abort("enough")

    digits = np.arange(12).reshape(3, 4) % 8
    with pytest.raises(Aborted):
        run(Program(digits=digits), path, seed=3, output=tmp_path / "0.h5", observers=[stop], control=control)
    done = resume(tmp_path / "0.h5", output=tmp_path / "1.h5", trust=allow_all)
    assert 0 < done.summary["taken_over"] < digits.size
    assert done.failed == 0
    with RunFile(tmp_path / "1.h5") as kept:
        rows = kept.table("pulses")
        assert (np.diff(rows["time"]) >= 0.0).all()
        assert (rows["kind"] == 3).sum() >= digits.size


def test_a_refresh_lets_the_chip_write_what_has_left_its_window_and_nothing_else(tmp_path):
    digits = np.array([[1, 2, 3], [5, 6, 7]])
    with rehearsed(seed=3) as bench:
        first = run(Program(digits=digits), bench, seed=1, output=tmp_path / "0.h5")
        bench.program(Cell("multiply", 1, 2), 4e-6, 1.2e-6)
        done = run(Refresh(of=first.path), bench, seed=2, output=tmp_path / "1.h5")
    assert done.failed == 0
    assert done.pulses[1, 2] > 0
    assert (done.pulses > 0).sum() <= 2
    assert abs(done.after[1, 2] - 28e-6) <= 1.2e-6
