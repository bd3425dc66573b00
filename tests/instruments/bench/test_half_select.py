"""Two source-measure units at a passive crossbar: no sneak current is measured, and no other cell bears more than V/2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from repository import ROOT

from mho.errors import BenchError, InstrumentError
from mho.instruments import Bench, Cell, Pulse
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.checks import check_bench
from mho.instruments.opening.opening import open_rehearsal
from mho.instruments.simulated.faults import Fault

BENCHES = ROOT / "docs/benches"
CROSSBAR, CHIP = BENCHES / "passive-crossbar.toml", BENCHES / "passive-16.toml"
METER, MATRIX = "USB0::0x05E6::0x2636::4012345::INSTR", "GPIB0::16::INSTR"
NEAR = {"rtol": 0.01, "atol": 2e-8}  # a 2636B in the range of 100 uA
FORM, SET, RESET = (
    Pulse(kind, volts, 1e-3, 0.0) for kind, volts in (("set", 3.6), ("set", 1.4), ("reset", 1.6))
)
TWO_CHANNELS = 'channels = ["bit line", "source line"]'
ONE_CHANNEL = (
    (TWO_CHANNELS, 'terminal = "bit line"'),
    (
        "current_limit = 1e-3                     # A, of the row: it carries the currents of all its cells\n",
        "",
    ),
    ('bias = "V/2"', 'bias = "float"'),
    ('2B = "sink", 3B = "sink", ', ""),
)


def changed(
    folder: Path, *changes: tuple[str, str], chip: tuple[tuple[str, str], ...] = (), more: str = ""
) -> str:
    """Return the path of a changed copy of the bench, and of its chip map beside it."""
    for path, these in ((CROSSBAR, changes), (CHIP, chip)):
        text = path.read_text("utf-8")
        for old, new in these:
            assert old in text, old
            text = text.replace(old, new)
        (folder / path.name).write_text(text + (more if path is CROSSBAR else ""), "utf-8")
    return str(folder / CROSSBAR.name)


def of_two(folder: Path, *changes: tuple[str, str]) -> str:
    """Return the bench at a crossbar of 2 x 2."""
    text = CROSSBAR.read_text("utf-8")
    lists = [
        text[text.index(key) : text.index("]", text.index(key)) + 1] for key in ("bit_lines", "source_lines")
    ]
    few = [(lists[0], 'bit_lines = ["101", "102"]'), (lists[1], 'source_lines = ["205", "206"]')]
    return changed(folder, *few, *changes, chip=(("rows = 16", "rows = 2"), ("columns = 16", "columns = 2")))


def opened(path: str | Path = CROSSBAR, preset: str = "ideal") -> Bench:
    return open_rehearsal(load_bench_file(str(path)), seed=1, preset=preset)


def cells_of(bench: Bench) -> Any:
    return bench.laboratory.chip.cells["crossbar"]


def with_resistors(bench: Bench, siemens: Any) -> Any:
    """Put resistors in the places of all cells."""
    for (row, column), one in np.ndenumerate(siemens):
        cells_of(bench).fix((row, column), one)
    return siemens


def formed(bench: Bench, *cells: tuple[int, int]) -> None:
    """Form cells behind the bench's back, one by one, with nothing on the others."""
    for cell in cells:
        cells_of(bench).set(cell, 4.0, 1e-3, 1.6)


def at(row: int, column: int) -> Cell:
    return Cell("crossbar", row, column)


def others(bench: Bench, *cells: tuple[int, int]) -> float:
    """Return the largest voltage that any other cell has borne, V."""
    seen = bench.laboratory.matrix.seen.copy()
    for cell in cells:
        seen[cell] = 0.0
    return float(seen.max())


def outputs(bench: Bench) -> dict[str, float]:
    """Return whether each channel's output is on, asked past the bench."""
    meter = bench.laboratory.devices[METER]
    on = {}
    for channel in ("smua", "smub"):
        meter.write(f"print({channel}.source.output)\n".encode())
        on[channel] = float(meter.read())
    return on


# --- reading ---


def test_no_sneak_current_is_in_a_reading_at_the_source_line():
    siemens = 10.0 ** np.random.default_rng(3).uniform(-6, -4.5, (16, 16))
    with opened() as bench:
        with_resistors(bench, siemens)
        for cell in ((0, 0), (3, 7), (3, 8), (15, 15), (15, 0)):
            assert_allclose(bench.read(at(*cell)), siemens[cell], **NEAR)
        assert len(bench.laboratory.devices[MATRIX].closed) == 32
        assert others(bench, *((row, column) for row in (0, 3, 15) for column in range(16))) < 2e-3
        assert bench.laboratory.incidents == []


def test_without_the_second_unit_the_sneak_path_of_three_resistors_is_read(tmp_path):
    with opened(of_two(tmp_path, *ONE_CHANNEL)) as bench:
        g = with_resistors(bench, np.array([[1e-6, 20e-6], [30e-6, 5e-6]]))
        sneak = 1.0 / (1.0 / g[0, 1] + 1.0 / g[1, 1] + 1.0 / g[1, 0])
        assert_allclose(bench.read(at(0, 0)), g[0, 0] + sneak, **NEAR)
        assert bench.laboratory.incidents == []


def test_without_the_second_unit_a_cell_among_sixteen_by_sixteen_is_hidden_by_three_stages(tmp_path):
    with opened(changed(tmp_path, *ONE_CHANNEL)) as bench:
        with_resistors(bench, np.full((16, 16), 2e-6))
        stages = 1.0 / (2.0 / (15 * 2e-6) + 1.0 / (15**2 * 2e-6))
        assert_allclose(bench.read(at(4, 9)), 2e-6 + stages, **NEAR)


def test_with_floating_lines_the_second_unit_measures_what_the_first_gives(tmp_path):
    with opened(of_two(tmp_path, ('bias = "V/2"', 'bias = "float"'))) as bench:
        g = with_resistors(bench, np.array([[1e-6, 20e-6], [30e-6, 5e-6]]))
        sneak = 1.0 / (1.0 / g[0, 1] + 1.0 / g[1, 1] + 1.0 / g[1, 0])
        assert_allclose(bench.read(at(0, 0)), g[0, 0] + sneak, **NEAR)
        bench.pulse(at(0, 0), SET)
        assert_allclose(bench.laboratory.matrix.seen.max(), SET.voltage, rtol=1e-3)


def test_the_row_carries_the_currents_of_its_half_selected_cells():
    with opened() as bench:
        with_resistors(bench, np.full((16, 16), 30e-6))
        bench.read(at(0, 0))
        extremes = bench.laboratory.monitor.extremes()
        assert_allclose(extremes["bit line"].current, 16 * 30e-6 * 0.2, rtol=0.01)
        assert_allclose(extremes["source line"].current, 30e-6 * 0.2, rtol=0.01)


def test_a_row_whose_output_was_switched_off_is_no_conductance_of_zero():
    with opened() as bench:
        with_resistors(bench, np.full((16, 16), 30e-6))
        bench.read(at(0, 0))
        bench.laboratory.devices[METER].write(b"smua.source.output = 0\n")
        with pytest.raises(BenchError, match=r"instead of 0\.2 V"):
            bench.read(at(0, 0))


def test_a_sweep_beyond_the_read_voltage_is_halved_and_adds_the_half_selected_cells_of_the_column():
    with opened() as bench:
        with_resistors(bench, np.full((16, 16), 4e-6))
        low = bench.sweep(at(2, 2), [0.1, 0.2])
        assert_allclose([one.current for one in low], [0.4e-6, 0.8e-6], rtol=0.02, atol=2e-8)
        bench.laboratory.matrix.seen[:] = 0.0
        high = bench.sweep(at(2, 2), [0.4, 0.8], delay=1e-3)
        assert_allclose([one.voltage for one in high], [0.4, 0.8], rtol=2e-3)
        assert_allclose([one.current for one in high], [0.4 * 4e-6 * 8.5, 0.8 * 4e-6 * 8.5], rtol=0.02)
        assert others(bench, (2, 2)) < 0.5 * 0.8 * 1.002


def test_products_are_those_of_the_cells():
    siemens = np.random.default_rng(4).uniform(1e-6, 30e-6, (16, 16))
    with opened() as bench:
        with_resistors(bench, siemens)
        bench.connect_multiply("crossbar", [1, 4, 6], [0, 3])
        volts = np.array([[0.1, -0.2, 0.05]])
        assert_allclose(bench.multiply(volts), volts @ siemens[np.ix_([1, 4, 6], [0, 3])], rtol=0.02)


# --- pulses ---


def test_a_pulse_is_half_on_the_row_and_half_on_the_column():
    with opened() as bench:
        bench.pulse(at(3, 5), FORM, 2)
        seen = bench.laboratory.matrix.seen
        expected = np.zeros((16, 16))
        expected[3, :] = expected[:, 5] = FORM.voltage / 2
        expected[3, 5] = FORM.voltage
        assert_allclose(seen, expected, atol=2e-3)
        assert max(map(abs, bench.laboratory.held.values())) < 5e-3
        assert bench.read(at(3, 5)) > 20e-6
        assert outputs(bench) == {"smua": 1.0, "smub": 1.0}
        bench.pulse(at(3, 5), RESET)
        assert bench.read(at(3, 5)) < 1e-6
        extremes = bench.laboratory.monitor.extremes()
        assert max(extremes[line].voltage for line in ("bit line", "source line")) < 0.51 * FORM.voltage
        assert bench.laboratory.incidents == []


def test_two_instruments_do_it_as_two_channels_do(tmp_path):
    text = CROSSBAR.read_text("utf-8")
    pair = text[text.index("[instruments.keithley]") : text.index("serves")]
    one = '[instruments.keithley]\ndriver = "keithley2450"\naddress = "GPIB0::1::INSTR"\nterminal = "bit line"\n'
    more = SECOND.replace("instruments.other", "instruments.columns")
    with opened(changed(tmp_path, (pair, one), more=more)) as bench:
        bench.pulse(at(3, 5), FORM, 2)
        assert others(bench, (3, 5)) < 1.002 * FORM.voltage / 2
        assert_allclose(bench.laboratory.matrix.seen[3, 5], FORM.voltage, rtol=1e-3)
        high = bench.read(at(3, 5))
        bench.pulse(at(3, 5), RESET)
        assert high > 20 * bench.read(at(3, 5))
        assert max(map(abs, bench.laboratory.held.values())) < 5e-3
        assert bench.laboratory.incidents == []
    assert bench.laboratory.live() == ()


def test_a_cell_is_written_and_verified_and_its_neighbours_stay_where_they_are():
    mine, near = (1, 1), ((1, 6), (8, 1), (8, 6))
    with opened() as bench:
        formed(bench, mine, *near)
        for cell in near[::2]:
            bench.pulse(at(*cell), RESET)
        before = [bench.read(at(*cell)) for cell in near]
        for _ in range(4):
            bench.pulse(at(*mine), RESET)
            assert bench.read(at(*mine)) < 1e-6
            bench.pulse(at(*mine), SET)
            assert bench.read(at(*mine)) > 25e-6
        rises = np.array([bench.read(at(*cell)) for cell in near]) - before
    # Half of a SET is 0.7 V for somewhat more than its width, four times: G rises by G_c (1 - exp(-t rate))
    p = cells_of(bench).preset
    rise = (
        4
        * p.maximum
        * SET.width
        * np.exp((0.5 * SET.voltage - p.set_threshold) / p.set_acceleration)
        / p.set_time
    )
    assert rise < rises[0] < 1.5 * rise
    assert 0.0 < rises[1] < rise
    assert abs(rises[2]) < 0.1 * rise


def test_forming_a_cell_disturbs_the_formed_ones_of_its_row_and_column_only():
    near, far = ((1, 6), (8, 1)), (8, 6)
    with opened() as bench:
        formed(bench, *near, far)
        for cell in (*near, far):
            bench.pulse(at(*cell), RESET)
        assert max(bench.read(at(*cell)) for cell in (*near, far)) < 1e-6
        bench.pulse(at(1, 1), FORM)  # half of it, 1.8 V, is beyond the SET of a formed cell
        assert min(bench.read(at(*cell)) for cell in near) > 20e-6
        assert bench.read(at(*far)) < 1e-6
        virgin = np.ones((16, 16), bool)
        for cell in (*near, far, (1, 1)):
            virgin[cell] = False
        assert cells_of(bench).conductance()[virgin].max() < 1e-8


def test_many_halves_too_weak_to_switch_creep_up_a_cell_of_the_row():
    with opened() as bench:
        formed(bench, (1, 6), (8, 6))
        for cell in ((1, 6), (8, 6)):
            bench.pulse(at(*cell), RESET)
        before = bench.read(at(1, 6))
        bench.pulse(at(1, 1), Pulse("set", 1.18, 0.1, 0.0), 20)
        p, seconds = cells_of(bench).preset, 20 * 0.1
        rate = np.exp((0.59 - p.set_threshold) / p.set_acceleration) / p.set_time
        share = (bench.read(at(1, 6)) - before) / (p.maximum - before)
        assert -np.expm1(-rate * seconds) < share < -np.expm1(-2.1 * rate * seconds)
        assert bench.read(at(8, 6)) < 1.1 * before


def test_the_current_limit_of_the_column_limits_a_set(tmp_path):
    levels = []
    for limit in ("1e-4", "1e-5"):
        path = changed(tmp_path, ("current_limit = 1e-4      # A, of the column", f"current_limit = {limit}"))
        with opened(path) as bench:
            formed(bench, (0, 0))
            bench.pulse(at(0, 0), RESET)
            bench.pulse(at(0, 0), SET)
            levels.append(bench.read(at(0, 0)))
    assert levels[1] < 0.5 * levels[0]


# --- any order of use ---

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["read", "set", "reset", "sweep", "rest", "safe", "forget"]), st.integers(0, 15), st.integers(0, 15)
    ), min_size=1, max_size=10,
)  # fmt: skip


@settings(max_examples=15, derandomize=True)
@given(steps=STEPS)
def test_no_order_of_use_puts_more_than_half_of_it_on_another_cell(steps):
    with opened() as bench:
        for act, row, column in steps:
            cell, highest = at(row, column), bench.file.read.voltage
            bench.laboratory.matrix.seen[:] = 0.0
            match act:
                case "read":
                    bench.read(cell)
                case "set" | "reset":
                    bench.pulse(cell, SET if act == "set" else RESET, 2)
                    highest = 0.5 * RESET.voltage
                case "sweep":
                    bench.sweep(cell, [0.3, 0.9, -0.9])
                    highest = 0.45
                case _:
                    getattr(bench, act)()
            assert others(bench, (row, column)) <= 1.002 * highest + 1e-3, act
            if act in ("rest", "safe"):
                assert bench.laboratory.devices[MATRIX].closed == frozenset()
    assert bench.laboratory.incidents == []  # none of a relay that moves with a voltage on it
    assert bench.laboratory.live() == ()
    assert bench.laboratory.devices[MATRIX].closed == frozenset()


class Interrupting:
    """Lets Control-C come at a message to a device, counted from 0."""

    def __init__(self, device: Any, number: int) -> None:
        self._write, self.left = device.write, number
        device.write = self.write

    def write(self, data: bytes, end: bool = True) -> None:
        self.left -= 1
        if self.left == -1:
            raise KeyboardInterrupt
        self._write(data, end)


def test_control_c_at_any_message_of_a_pulse_leaves_everything_off():
    interrupted, on_the_row = 0, 0
    for number in range(40):
        bench = opened()
        try:
            with bench:
                bench.read(at(2, 3))
                bench.laboratory.matrix.seen[:] = 0.0
                interrupting = Interrupting(bench.laboratory.devices[METER], number)
                bench.pulse(at(2, 3), FORM, 2)
                interrupting.left = -9  # leaving the bench holds signals back
                break
        except KeyboardInterrupt:
            interrupted += 1
            on_the_row += others(bench, (2, 3)) > 1.0
        assert bench.laboratory.live() == ()
        assert outputs(bench) == {"smua": 0.0, "smub": 0.0}
        assert bench.laboratory.devices[MATRIX].closed == frozenset()
        assert bench.laboratory.incidents == []
        assert others(bench, (2, 3)) <= 1.002 * 0.5 * FORM.voltage
    assert interrupted > 3
    assert on_the_row > 0


@pytest.mark.parametrize("address", [METER, MATRIX])
def test_a_lost_message_moves_no_relay_under_a_voltage(address):
    def use(bench: Bench, caught: list[InstrumentError]) -> None:
        for act in (
            lambda: bench.read(at(0, 0)), lambda: bench.pulse(at(5, 6), SET), lambda: bench.read(at(5, 6)),
            lambda: bench.pulse(at(0, 0), RESET), lambda: bench.read(at(7, 7)),
        ):  # fmt: skip
            try:
                act()
            except InstrumentError as error:
                caught.append(error)

    caught: list[InstrumentError] = []
    with opened() as bench:
        use(bench, caught)
        count = bench.laboratory.traffic[address].messages
    assert not caught
    for after in range(0, count, max(1, count // 12)):
        with opened() as bench:
            bench.laboratory.faults.append(Fault(address, "timeout", after=after))
            use(bench, caught)
        assert bench.laboratory.incidents == [], after
        assert bench.laboratory.live() == ()
    assert caught


@pytest.mark.parametrize("act", ["pulse", "read", "sweep"])
def test_a_message_lost_while_lines_are_held_takes_them_to_zero_at_once(act):
    acts = {
        "pulse": lambda bench: bench.pulse(at(1, 1), SET), "read": lambda bench: bench.read(at(1, 1)),
        "sweep": lambda bench: bench.sweep(at(1, 1), [0.5, 0.9], delay=1e-3),
    }  # fmt: skip
    failed = 0
    for after in range(12):
        with opened() as bench:
            bench.read(at(1, 1))
            bench.laboratory.faults.append(Fault(METER, "timeout", after=after))
            try:
                acts[act](bench)
            except InstrumentError:
                failed += 1
                assert max(map(abs, bench.laboratory.held.values())) < 5e-3
    assert failed >= 3


def test_relays_wait_for_a_column_that_somebody_else_has_left_at_a_voltage():
    with opened() as bench:
        bench.read(at(1, 1))
        bench.instruments.sink.hold(0.3)
        bench.read(at(2, 2))
        assert bench.laboratory.incidents == []


# --- what the bench says ---


def test_the_bench_says_how_it_pulses_and_its_check_moves_every_relay(tmp_path):
    source = load_bench_file(str(CROSSBAR))
    assert source.bench.operations()["pulse"] == "keithley (V/2 by two source-measure units)"
    assert source.bench.operations()["sweep"] == "keithley (by single reads)"
    check = '\n[check]\nresistor = 100e3\ncell = ["crossbar", 4, 13]\n[simulation]\npreset = "ideal"\n'
    report = check_bench(changed(tmp_path, more=check))
    verdicts = {(one.subject, one.what): one.verdict for one in report.findings}
    assert verdicts["switch", "relays"] == "ok"
    assert verdicts["bench", "contact"] == "ok"  # of a resistor in that cell's place
    assert verdicts["sink", "output"] == verdicts["smu", "output"] == "ok"


# --- refusals ---

SECOND = """
[instruments.other]
driver = "keithley2450"
address = "USB0::0x05E6::0x2450::4012346::INSTR"
terminal = "source line"
"""
GENERATOR = """
[instruments.fast]
driver = "keysight33522b"
address = "USB0::0x0957::0x2C07::SIM00003::INSTR"
channels = ["bit line"]
"""

PULSED = [('"pulse", ', ""), ("rows = { ", 'rows = { 1C = "pulser 1", 2C = "pulser 1", ')]


@pytest.mark.parametrize(
    ("changes", "more", "sentence"),
    [
        ([], SECOND, "`keithley` and `other` are both wired to the source line"),
        ([(TWO_CHANNELS, 'terminal = "bit line"'), ('2B = "sink", 3B = "sink", ', "")], "", "no source is at the source"),
        ([('bias = "V/2"', 'bias = "V/3"')], "", "V/3 needs four levels at once"),
        ([('bias = "V/2"', 'bias = "V/4"')], "", "Input should be 'float' or 'V/2'"),
        ([(', 3B = "sink"', "")], "", "switch column 301 needs sink, which is at no row"),
        ([(', 3H = "ground"', "")], "", "switch column 301 needs ground, which is at no row"),
        ([(TWO_CHANNELS, 'channels = ["bit line", "word line"]')], "", "wired to the word line and serves nothing there"),
        ([(TWO_CHANNELS, 'channels = ["bit line", "body"]')], "", "wired to the body, where nothing of it is used"),
        (PULSED, GENERATOR, "`bias` of `matrix` is for pulses by the two source-measure units"),
        ([('"bit line", "source line"', '"source line"')], "", "`serves` names `read`, which this instrument does not do"),
    ],
)  # fmt: skip
def test_a_bench_that_cannot_be_so_is_refused_with_a_sentence(tmp_path, changes, more, sentence):
    with pytest.raises(BenchError, match=sentence.replace("(", r"\(")):
        load_bench_file(changed(tmp_path, *changes, more=more))


def test_a_source_line_unit_without_a_column_of_the_matrix_is_refused(tmp_path):
    text = CROSSBAR.read_text("utf-8")
    lines = text[text.index("source_lines") : text.index("]", text.index("source_lines")) + 1]
    with pytest.raises(BenchError, match="brings it to none: list `source_lines`"):
        load_bench_file(changed(tmp_path, (lines, ""), ('bias = "V/2"', 'bias = "float"')))
    matrix = text[text.index("[instruments.matrix]") : text.index("[read]")]
    with pytest.raises(
        BenchError, match="`keithley` is at the source line, and no switch matrix brings it to one"
    ):
        load_bench_file(changed(tmp_path, (matrix, "")))


def test_a_gate_at_a_chip_without_word_lines_is_refused(tmp_path):
    gate = '\n[instruments.gate]\ndriver = "yokogawags210"\naddress = "GPIB0::3::INSTR"\nterminal = "word line"\n'
    limit = '\n[limits."word line"]\nvoltage = 4\ncurrent = 1e-3\n'
    words = ('3H = "ground" }', '3H = "ground", 1C = "gate" }\nword_lines = ["112"]')
    path = changed(tmp_path, words, ('"111", "112", "201"', '"111", "309", "201"'), ("[read]\n", "[read]\ngate = 2.5\n"),
                   ('3B = "sink", ', '3B = "sink", 3A = "smu", '), more=gate + limit)  # fmt: skip
    with pytest.raises(
        BenchError, match=r"to the word line, and chip map passive-16\.toml has the terminals bit line"
    ):
        load_bench_file(path)
