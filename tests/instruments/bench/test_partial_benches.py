"""A bench has the instruments that it has: it does what they serve, and refuses the rest in a sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from repository import ROOT

import mho
from mho.errors import BenchError, InstrumentError, LimitError
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.checks import check_bench
from mho.instruments.opening.opening import open_rehearsal
from mho.instruments.roles import Cell, Pulse, Reading
from mho.instruments.simulated.faults import Fault

BENCHES = ROOT / "docs/benches"
DEVICE, CELL = Cell("device", 0, 0), Cell("multiply", 2, 3)
WIDTH = {
    "probe-station": 0.02, "meter-source-generator": 1e-6, "two-channels": 1e-3, "parameter-analyser": 0.05,
    "microcontroller": 1e-4,
}  # fmt: skip


def described(folder: Path, name: str, *changes: tuple[str, str]) -> str:
    """Return the path of a copy of a bench of the docs, changed, with the files beside it."""
    for path in BENCHES.glob("*"):
        if path.suffix in (".py", ".toml"):
            (folder / path.name).write_bytes(path.read_bytes())
    text = (BENCHES / f"{name}.toml").read_text("utf-8")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    (folder / "lab.toml").write_text(text, "utf-8")
    return str(folder / "lab.toml")


def refusal(path: str) -> str:
    with pytest.raises(BenchError) as refused:
        load_bench_file(path)
    return str(refused.value).partition("lab.toml: ")[2] or str(refused.value)


def rehearsed(name: str, seed: int = 1, **options):
    return open_rehearsal(load_bench_file(name), seed=seed, **options)


@pytest.mark.parametrize("name", WIDTH)
def test_a_cell_is_formed_set_and_reset_on_a_bench_without_our_instruments(name):
    cell = CELL if name == "microcontroller" else DEVICE
    with rehearsed(str(BENCHES / f"{name}.toml")) as bench:
        width, lab, on = WIDTH[name], bench.laboratory, bench.file.instruments.serves("gate")
        assert bench.read(cell) < 1e-7
        formed = [
            v
            for v in (3.3, 3.7, 4.0)
            if (bench.pulse(cell, Pulse("set", v, width, 1.6 * on)), bench.read(cell))
        ]
        assert len(formed) == 3
        low = [
            (bench.pulse(cell, Pulse("reset", 3.0, width, 2.8 * on)), bench.read(cell))[1] for _ in range(3)
        ]
        high = (bench.pulse(cell, Pulse("set", 3.0, width, 1.6 * on)), bench.read(cell))[1]
        assert high > 20 * max(low)
        assert "floating gate" not in {one.kind for one in lab.incidents}
    assert lab.live() == ()


@pytest.mark.parametrize("name", WIDTH)
def test_an_error_on_the_way_leaves_it_safe(name):
    cell = CELL if name == "microcontroller" else DEVICE

    def leave():
        with rehearsed(str(BENCHES / f"{name}.toml")) as bench:
            bench.pulse(cell, Pulse("set", 1.0, WIDTH[name], 0.0))
            bench.instruments.tester or bench.instruments.smu.hold(0.5)
            assert bench.laboratory.live() or name == "microcontroller"
            labs.append(bench.laboratory)
            raise RuntimeError("on the way")

    labs: list = []
    with pytest.raises(RuntimeError, match="on the way"):
        leave()
    assert labs[0].live() == ()


def test_pulses_of_a_meter_are_negative_for_reset_and_as_wide_as_asked():
    with rehearsed(str(BENCHES / "two-channels.toml")) as bench:
        for kind, gate in (("set", 1.6), ("reset", 2.8)):
            bench.pulse(DEVICE, Pulse(kind, 1.25, 2e-3, gate=gate), 3)
        extremes = bench.laboratory.monitor.extremes()["bit line"]
        assert_allclose((extremes.lowest, extremes.highest), (-1.25, 1.25), rtol=1e-2)
        with pytest.raises(
            LimitError, match=r"source-measure unit here, and one of 0.0001 s is too short for it"
        ):
            bench.pulse(DEVICE, Pulse("set", 1.0, 1e-4, gate=1.0))
        with pytest.raises(LimitError, match=r"source line: voltage of 4.7 V exceeds the limit of 4.6 V"):
            bench.pulse(DEVICE, Pulse("reset", 4.7, 1e-3, gate=1.0))
        with pytest.raises(BenchError, match="plays no waveforms"):
            bench.waveform(DEVICE, "set", [1.0], interval=1e-3, gate=1.0)
        with pytest.raises(BenchError, match="nothing that serves `multiply`"):
            bench.connect_multiply("device", [0], [0])
        assert bench.vector_size == (0, 0)


def test_a_unit_that_only_pulses_is_opened_and_made_safe_too(tmp_path):
    path = described(tmp_path, "two-channels", ('["read", "sweep", "pulse", "gate"]', '["pulse", "gate"]'))
    assert set(load_bench_file(path).bench.operations()) == {"select", "gate", "pulse"}
    with rehearsed(path) as bench:
        bench.pulse(DEVICE, Pulse("set", 1.0, 1e-3, gate=1.0))
        assert set(bench.identities()) == {"smu", "gate"}
    assert bench.laboratory.live() == ()


def test_of_two_limits_for_a_reset_at_the_bit_line_the_stricter_holds(tmp_path):
    own = '[limits."source line"]\nvoltage = 2.0\n\n[limits."word line"]'
    with rehearsed(described(tmp_path, "two-channels", ('[limits."word line"]', own))) as bench:
        assert bench.limits.terminals["source line"].pulse_width == 10e-3
        with pytest.raises(LimitError, match=r"source line: voltage of 2.5 V exceeds the limit of 2 V"):
            bench.pulse(DEVICE, Pulse("reset", 2.5, 1e-3, gate=1.0))


def test_a_bench_without_a_gate_takes_no_word_line_voltage(tmp_path):
    path = described(
        tmp_path, "two-channels", ('["bit line", "word line"]         # channels 1 (A) and 2 (B)', '["bit line"]'),
        ('"pulse", "gate"]', '"pulse"]'), ("gate = 2.5 ", "# "), ('[limits."word line"]', '[limits."vector"]'),
        ("current = 1e-3\n", ""),
    )  # fmt: skip
    with rehearsed(path) as bench:
        assert bench.read(DEVICE) < 1e-7
        bench.pulse(DEVICE, Pulse("set", 4.0, 1e-3, gate=0.0))
        assert bench.read(DEVICE) > 5e-6
        for act in (
            lambda: bench.pulse(DEVICE, Pulse("set", 1.0, 1e-3, gate=1.0)),
            lambda: bench.measure(DEVICE, gate=1.0),
            lambda: bench.sweep(DEVICE, [0.1], gate=1.0),
        ):
            with pytest.raises(BenchError, match="nothing that serves `gate`"):
                act()
        assert set(bench.states()) == {"smu"}
        assert bench.laboratory.incidents == []


def test_products_from_reads_are_the_conductances_that_were_read(tmp_path):
    changed = ('"pulse", "multiply"]', '"pulse", "multiply", "sweep"]')
    path = described(tmp_path, "microcontroller", changed)
    text = (tmp_path / "microcontroller.py").read_text("utf-8")
    (tmp_path / "microcontroller.py").write_text(text.replace("def multiply(", "def other("), "utf-8")
    source = load_bench_file(path)
    assert source.bench.operations()["multiply"] == "controller (cell by cell, from reads)"
    assert source.bench.operations()["sweep"] == "controller (by single reads)"
    with rehearsed(path, preset="ideal") as bench:
        bench.pulse(CELL, Pulse("set", 4.0, 1e-4, gate=1.6))
        bench.connect_multiply("multiply", [2, 4], [3])
        once = bench.read(CELL)
        assert_allclose(
            bench.multiply(np.array([[0.1, 0.3], [-0.2, 0.0]])), [[0.1 * once], [-0.2 * once]], rtol=0.05
        )
        before = bench.now()
        points = bench.sweep(CELL, [0.1, 0.2], delay=0.5)
        assert_allclose([point.current for point in points], [0.1 * once, 0.2 * once], rtol=0.05)
        assert bench.now() - before > 1.0


@pytest.mark.parametrize(
    ("method", "answer", "says"),
    [
        ("read", "nonsense", "Microcontroller.read answered 'nonsense', not a Reading"),
        ("read", (np.nan, 1e-6, False), "not a reading in V and A"),
        ("read", np.nan, "answered nan, not a reading in V and A"),
        ("read", 5.0, "answered 5.0, not a current within its limit of 0.0001 A: does it answer in A?"),
        ("read", (1.0,), "not a Reading"),
        ("read", (0.2, "1e-6", False), "not a Reading"),
        ("read", "1e-6", "not a Reading"),
        ("multiply", [[1.0]], r"not finite currents of the shape \(2, 1\), in A"),
        ("multiply", "high", r"answered 'high', not currents"),
        ("multiply", [[np.nan], [0.0]], "not finite currents"),
    ],
)
def test_a_board_that_answers_nonsense_is_told_and_left_safe(monkeypatch, method, answer, says):
    with rehearsed(str(BENCHES / "microcontroller.toml")) as bench:
        bench.connect_multiply("multiply", [2], [3])
        monkeypatch.setattr(type(bench.instruments.tester), method, lambda self, *given: answer)
        with pytest.raises(InstrumentError, match=says):
            bench.read(CELL) if method == "read" else bench.multiply([[0.1]])
    assert bench.laboratory.live() == ()


def test_what_is_put_together_is_named_in_the_run(tmp_path):
    simulated = (BENCHES / "two-channels.toml").read_text("utf-8") + "\n[simulation]\n"
    (tmp_path / "lab.toml").write_text(simulated, "utf-8")
    pulsed = "`pulse` is put together on this bench: pulses by a source-measure unit"
    for kind, says in ((mho.Form, [pulsed]), (mho.Read, [])):
        path = tmp_path / f"{kind.__name__}.h5"
        mho.run(
            kind(array="device", rows="0", columns="0"), bench=str(tmp_path / "lab.toml"), seed=1, output=path
        )
        with mho.open_run(path) as file:
            assert [one.message for one in file.log() if "put together" in one.message] == says


def test_a_word_line_is_held_at_0_v_before_a_transistor_that_is_off_is_read():
    with rehearsed(str(BENCHES / "microcontroller.toml")) as bench:
        assert abs(bench.measure(CELL, gate=0.0).current) < 2e-8
        assert bench.laboratory.incidents == []


def test_the_check_of_a_bench_asks_a_tester_whether_it_is_on(tmp_path):
    simulated = "\n[simulation]\n"
    path = described(tmp_path, "microcontroller", ("# V at the DACs\n", f"# V at the DACs\n{simulated}"))
    driver = tmp_path / "microcontroller.py"
    found = {(one.subject, one.what): one for one in check_bench(path).findings}
    assert (found["tester", "output"].verdict, found["tester", "output"].detail) == ("ok", "off")
    assert "word line 2.5 V" in found["bench", "reading"].detail
    driver.write_text(driver.read_text("utf-8").replace("output_enabled", "is_enabled"), "utf-8")
    found = {(one.subject, one.what): one for one in check_bench(path).findings}
    assert (found["tester", "output"].verdict, found["tester", "output"].detail) == (
        "note",
        "cannot be asked",
    )


def test_a_list_of_reads_needs_no_sweep():
    with rehearsed(str(BENCHES / "microcontroller.toml")) as bench:
        bench.pulse(CELL, Pulse("set", 4.0, 1e-4, gate=1.6))
        before = bench.now()
        assert_allclose(bench.read_list(CELL, 3, delay=0.2), bench.read(CELL), rtol=0.1)
        assert bench.now() - before > 0.6
        with pytest.raises(BenchError, match="a sweep cannot run on bench 'microcontroller'"):
            bench.sweep(CELL, [0.1])


def test_what_a_driver_of_ones_own_raises_is_told_with_its_place(monkeypatch):
    def broken(self, voltage, width, count=1):
        return float("banana")

    with rehearsed(str(BENCHES / "microcontroller.toml")) as bench:
        monkeypatch.setattr(type(bench.instruments.tester), "pulse", broken)
        says = r"Microcontroller\.pulse failed: ValueError: .*'banana' \(test_partial_benches\.py, line "
        with pytest.raises(InstrumentError, match=says):
            bench.pulse(CELL, Pulse("set", 1.0, 1e-4, gate=1.0))
    assert bench.laboratory.live() == ()


def test_beyond_the_range_of_a_tester_is_no_number_but_a_result(monkeypatch):
    with rehearsed(str(BENCHES / "microcontroller.toml")) as bench:
        monkeypatch.setattr(type(bench.instruments.tester), "read", lambda self, volts: np.inf)
        with pytest.raises(BenchError, match="overflowed the measurement range"):
            bench.read(CELL)


def test_numbers_of_a_bench_file_may_have_units(tmp_path):
    path = described(
        tmp_path, "two-channels", ("voltage = 4.6 ", 'voltage = "4600 mV" '),
        ("pulse_width = 10e-3", 'pulse_width = "10ms"'), ("slew = 100e3 ", 'slew = "0.1 MV/s" '),
        ("current_range = 1e-4", 'current_range = "100 uA"'),
    )  # fmt: skip
    changed, plain = load_bench_file(path).bench, load_bench_file(str(BENCHES / "two-channels.toml")).bench
    assert changed == plain
    for wrong, says in (
        ('"4.6 A"', "'4.6 A' is no number in V"),
        ('"high"', "write it as 0.5 or as '500 mV'"),
    ):
        text = (tmp_path / "lab.toml").read_text("utf-8").replace('"4600 mV"', wrong)
        (tmp_path / "wrong.toml").write_text(text, "utf-8")
        with pytest.raises(BenchError) as refused:
            load_bench_file(str(tmp_path / "wrong.toml"))
        assert says in str(refused.value)
        assert "limits.bit line.voltage (line " in str(refused.value)


def test_a_tester_may_answer_the_current_alone(monkeypatch):
    with rehearsed(str(BENCHES / "microcontroller.toml")) as bench:
        monkeypatch.setattr(type(bench.instruments.tester), "read", lambda self, volts: 1e-6)
        assert bench.measure(CELL) == Reading(0.2, 1e-6, False)


@pytest.mark.parametrize(
    ("name", "changes", "says"),
    [
        ("two-channels", [('"pulse", "gate"]', '"pulse", "gate", "invert"]')],
         "`serves` names `invert`, which this instrument does not do as it is wired here; it does `read`, `sweep`"),
        ("two-channels", [('"bit line", "word line"]', '"bit line", "bit line"]')],
         "two of its channels are wired to the bit line"),
        ("two-channels", [('"bit line", "word line"]', '"bit line", "word line", "source line"]')],
         "keithley2636b has no channel 3; it has 2"),
        ("two-channels", [('"bit line", "word line"]', '"bit line", "source line"]'), ('"pulse", "gate"]', '"pulse"]')],
         "`analyser` is at the source line, and no switch matrix brings it to one"),
        ("meter-source-generator", [('terminal = "word line"', 'terminal = "source line"')],
         "its output is wired to the source line, where nothing of it is used"),
        ("two-channels", [('channels = ["bit line", "word line"] ', "# ")],
         "say which terminal it is wired to"),
        ("two-channels", [('driver = "keithley2636b"', 'driver = "keithley2637"'), ("serves", "# ")],
         "what this instrument is, is not said: give `driver` one of mho's, `serves` what it does, or "
         "`kind` one of 'source meter', "),
        ("two-channels", [('driver = "keithley2636b"', 'driver = "keithley2637"')],
         "no such driver here; there are keithley24"),
        ("two-channels", [('"pulse", "gate"]', '"pulse", "gate"]\nserve = 1')], "unknown key; did you mean 'serves'?"),
        ("two-channels", [('chip = "device"', 'chip = "reference"')], "has nothing that serves `select`, and its chip map"),
        ("two-channels", [('"word line"] ', '"word line"]\nterminal = "bit line" #')],
         "leave `terminal` and `channel` out"),
        ("two-channels", [('"pulse", "gate"]', '"pulse"]')],
         "`analyser` is wired to the word line and serves nothing there, so that nothing would make it safe"),
        ("two-channels", [('["bit line", "word line"] ', '["bit line"] '), ('"pulse", "gate"]', '"pulse"]')],
         "no instrument serves `gate`: take it out"),
        ("meter-source-generator", [("bias_tee = true", "bias_tee = true\nserves = []")],
         "`generator` serves nothing, so that nothing would open it or make it safe"),
        ("two-channels", [("[read]", '[instruments.other]\ndriver = "keithley2450"\naddress = "GPIB0::3::INSTR"\n'
                                     'terminal = "bit line"\n[read]')],
         "`analyser` and `other` are both wired to the bit line"),
        ("two-channels", [("[read]", '[instruments.fast]\ndriver = "keysight33522b"\naddress = "GPIB0::3::INSTR"\n'
                                     'channels = ["bit line"]\n[read]'), ('"pulse", "gate"]', '"gate"]')],
         "the bit line is wired to two sources, `analyser` and `fast`, and nothing switches between them"),
        ("two-channels", [("[read]", '[instruments.fast]\ndriver = "keysight33522b"\naddress = "GPIB0::3::INSTR"\n'
                                     'channels = ["bit line"]\nbias_tee = true\n[read]')],
         "`analyser` and `fast` both serve `pulse`: take it out of `serves` of one of them"),
        ("two-channels", [("[read]", '[instruments.daq]\ndriver = "ni_daq"\noutputs = "Dev1/ao0"\n'
                                     'inputs = "Dev1/ai0"\n[read]')],
         "`daq` plays vectors, and no array board connects the chip to it"),
        ("microcontroller", [('"gate", "pulse"', '"gate", "temperature"')],
         "`serves` names `temperature`, which this instrument does not do"),
        ("microcontroller", [('"microcontroller.py:', '"nowhere.py:')], "there is no driver in "),
        ("microcontroller", [('Microcontroller"\ntwin', 'Nothing"\ntwin')], "there is no driver "),
        ("microcontroller", [('serves = ["select", "read", "gate", "pulse", "multiply"]', 'kind = "tester"')],
         "say what it does: serves = "),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_a_sentence(tmp_path, name, changes, says):
    assert says in refusal(described(tmp_path, name, *changes))


def test_a_class_that_lacks_an_operation_is_told_what_it_lacks_and_a_method_of_that_name_does_not_do(
    tmp_path,
):
    path = described(tmp_path, "microcontroller")
    driver = tmp_path / "microcontroller.py"
    text = driver.read_text("utf-8")
    driver.write_text(text.replace("width: float, count: int = 1)", "width: float)"))
    assert "`serves` names `pulse`, and " in refusal(path)
    assert refusal(path).endswith("cannot: give it pulse(voltage, width, count)")
    driver.write_text(text.replace("def make_safe", "def make_it_safe"))
    assert refusal(path).endswith("is no Instrument: give it make_safe()")


def test_a_bias_tee_lets_a_generator_and_a_meter_share_the_bit_line(tmp_path):
    fast = (
        '[instruments.fast]\ndriver = "keysight33522b"\naddress = "USB0::0x0957::0x2C07::1::INSTR"\n'
        'channels = ["bit line"]\nbias_tee = true\n[read]'
    )
    path = described(
        tmp_path, "two-channels", ("[read]", fast), ('"sweep", "pulse", "gate"]', '"sweep", "gate"]')
    )
    with rehearsed(path) as bench:
        bench.pulse(DEVICE, Pulse("set", 4.0, 1e-6, gate=1.6))
        high = bench.read(DEVICE)
        bench.pulse(DEVICE, Pulse("reset", 3.0, 1e-6, gate=2.8))
        assert high > 10 * bench.read(DEVICE)
        assert bench.laboratory.incidents == []
        assert set(bench.states()) == {"smu", "gate", "pulser"}


def test_instruments_beside_are_in_the_run_and_made_safe_though_another_fails(tmp_path):
    beside = """
from mho.instruments.simulated.lines import LineDevice

class Gauge:
    made_safe = 0
    def __init__(self, address, visa_library=""): self.address = address
    def identify(self): return "a gauge"
    def settings(self): return {"pressure": "1e-5 mbar"}
    def make_safe(self): Gauge.made_safe += 1
    def close(self): pass

class Twin(LineDevice):
    def __init__(self, clock, rng, *, serial=""): super().__init__(clock, rng)
    def take_line(self, line): pass
    def read(self): return b""
    def status_byte(self): return 0
    def clear(self): pass
    def push_error(self, code, detail=""): pass
"""
    (tmp_path / "gauge.py").write_text(beside, "utf-8")
    entry = (
        '[instruments.gauge]\ndriver = "gauge.py:Gauge"\ntwin = "gauge.py:Twin"\naddress = "ASRL9::INSTR"\n'
        "serves = []\n[read]"
    )
    path = described(tmp_path, "two-channels", ("[read]", entry))
    with rehearsed(path) as bench:
        assert bench.identities()["gauge"] == {"identity": "a gauge", "pressure": "1e-5 mbar"}
        assert list(bench.identities()) == ["smu", "gate", "gauge"]
        assert "gauge" not in bench.states()
        gauge = bench.instruments.beside["gauge"]
    assert gauge.made_safe == 1
    without = described(tmp_path, "two-channels", ("[read]", entry.replace('twin = "gauge.py:Twin"\n', "")))
    with rehearsed(without) as bench:  # which has no twin: the rest is rehearsed
        assert list(bench.identities()) == ["smu", "gate"]


def test_a_free_name_is_as_good_as_ours():
    entries = load_bench_file(str(BENCHES / "two-channels.toml")).bench.instruments
    assert (entries.smu.channel, entries.gate.channel) == (1, 2)
    assert entries.name_of("smu") == entries.name_of("gate") == "analyser"
    assert mho.Cell("device", 0, 0) == DEVICE


def test_a_tester_survives_the_loss_of_its_connection_and_what_pulses_is_not_done_twice(tmp_path):
    address = 'address = "ASRL5::INSTR"'
    again = (address, f"{address}\nreconnect = {{ tries = 3, wait = 0.1 }}")
    path = described(tmp_path, "microcontroller", again)
    with rehearsed(path) as bench:
        before = bench.read(CELL)
        bench.laboratory.faults.append(Fault("ASRL5::INSTR", "disconnect", opens=1))
        assert_allclose(bench.read(CELL), before, atol=1e-7)
        bench.laboratory.faults.append(Fault("ASRL5::INSTR", "disconnect", match=b"PU", opens=1))
        with pytest.raises(InstrumentError, match="the connection was lost during 'pulse' and is back"):
            bench.pulse(CELL, Pulse("set", 1.0, 1e-4, gate=1.0))
    assert bench.laboratory.live() == ()


def test_a_class_that_calls_a_vendors_library_gets_its_twin_in_place_of_that_library(tmp_path):
    (tmp_path / "vendor.py").write_text(
        """
class Driver:
    def __init__(self, address, library=None, gain=1.0):
        self.library = library if library is not None else __import__("a_vendors_library")
        self.address, self.gain = address, gain
    def identify(self): return self.library.identity()
    def settings(self): return {"gain": str(self.gain)}
    def make_safe(self): self.library.off()
    def close(self): pass
    @property
    def output_enabled(self): return False
    def select(self, cell): self.cell = (cell.array, cell.row, cell.column)
    def read(self, voltage): return self.library.measure(self.cell, voltage)
    def pulse(self, voltage, width, count=1): self.library.strike(self.cell, voltage, width, count)


class Library:
    def __init__(self, clock, rng, cells, serial):
        self.clock, self.cells, self.serial = clock, cells, serial
        cells.gate(0.0)
    def identity(self): return self.serial
    def off(self): pass
    def measure(self, cell, volts):
        self.clock.advance(1e-3)
        return self.cells.read(cell, volts, 1e-3)
    def strike(self, cell, *pulse): self.cells.pulse(cell, *pulse)
""",
        "utf-8",
    )
    path = described(
        tmp_path,
        "microcontroller",
        ('"microcontroller.py:Microcontroller"', '"vendor.py:Driver"\noptions = { gain = 2.0 }'),
        ('"simulated_microcontroller.py:SimulatedMicrocontroller"', '"vendor.py:Library"'),
        ('["select", "read", "gate", "pulse", "multiply"]', '["select", "read", "pulse"]'),
        ('address = "ASRL5::INSTR"', 'address = "unit 7"'),
        ("gate = 2.5                # V on the word line\n", ""),
    )
    with rehearsed(path) as bench:
        assert bench.instruments.tester.identify() == "SIM00008"
        assert bench.instruments.tester.settings() == {"gain": "2.0"}
        assert bench.read(CELL) == pytest.approx(bench.read(CELL), rel=0.5)
        assert bench.laboratory.devices == {}
    with pytest.raises(BenchError, match=r"Driver needs .*a_vendors_library.*: install it"):
        mho.open_bench(path)
