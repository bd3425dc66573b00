"""A DAQ without a board: its outputs at the rows of a chip, its inputs behind amplifiers at the columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from repository import ROOT

from mho.errors import BenchError, InputError, InstrumentError, LimitError, MhoError
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.bench_file.plausibility import doubtful_limits
from mho.instruments.opening.opening import open_rehearsal
from mho.instruments.opening.safing import confirm_bench_safe
from mho.instruments.roles import Cell, Pulse
from mho.instruments.simulated.faults import DaqFault

BENCHES = ROOT / "docs/benches"
SET, RESET = Pulse("set", 3.8, 100e-6, 1.6), Pulse("reset", 3.0, 100e-6, 2.8)
DEVICES = [Cell("device", row, 0) for row in range(3)]
SERVES = '["select", "read", "sweep", "gate", "pulse", "multiply"]'


def described(folder: Path, name: str, *changes: tuple[str, str]) -> str:
    """Return the path of a changed copy of a bench of the docs, with the chip maps beside it."""
    for path in BENCHES.glob("*.toml"):
        (folder / path.name).write_bytes(path.read_bytes())
    text = (BENCHES / f"{name}.toml").read_text("utf-8")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    (folder / "lab.toml").write_text(text, "utf-8")
    return str(folder / "lab.toml")


def rehearsed(path: str | Path, **options):
    return open_rehearsal(load_bench_file(str(path)), seed=1, **options)


def test_one_device_after_the_other_is_formed_reset_and_set_and_its_neighbours_stay():
    with rehearsed(BENCHES / "daq-row.toml") as bench:
        for number, device in enumerate(DEVICES):
            assert bench.read(device) < 2e-7
            bench.pulse(device, SET)
            assert [bench.read(one) > 5e-6 for one in DEVICES] == [k <= number for k in range(3)]
        bench.pulse(DEVICES[1], RESET, 3)
        low, high = bench.read(DEVICES[1]), bench.read(DEVICES[2])
        assert high > 10 * low
        seen = bench.laboratory.monitor.extremes()["bit line"]
        assert_allclose((seen.lowest, seen.highest, seen.longest_pulse), (-3.0, 3.8, 100e-6), rtol=1e-2)
        assert (seen.pulses, bench.laboratory.monitor.pulses) == (6, 6)
        assert bench.laboratory.live() == ()
    assert bench.laboratory.incidents == []


def test_products_are_what_was_read_and_the_gate_is_on_in_them_and_off_without_one():
    with rehearsed(BENCHES / "daq-row.toml", preset="ideal") as bench:
        for device in DEVICES[:2]:
            bench.pulse(device, SET)
        read = np.array([bench.read(device) for device in DEVICES])
        bench.connect_multiply("device", [1, 0], [0])
        assert_allclose(
            bench.multiply([[0.2, 0.0], [0.1, -0.3]])[:, 0],
            [0.2 * read[1], 0.1 * read[1] - 0.3 * read[0]],
            atol=4e-8,
        )
        assert abs(bench.measure(DEVICES[0], gate=0.0).current) < 2e-8
        assert bench.laboratory.monitor.extremes()["word line"].highest == pytest.approx(2.5, rel=1e-3)


def test_channels_scattered_over_devices_are_the_lines_in_their_order(tmp_path):
    path = described(
        tmp_path, "daq-row", ('"Dev1/ao3, Dev1/ao1:0"', '"PXI1Slot3/ao2, PXI1Slot2/ao1:0"'),
        ('gate = "Dev1/ao2"', 'gate = "PXI1Slot3/ao0"'), ('"Dev1/ai17"', '"PXI1Slot2/ai17"'),
    )  # fmt: skip
    with rehearsed(path) as bench:
        assert "(PXI1Slot3, " in bench.instruments.tester.identify()
        bench.pulse(DEVICES[1], SET)
        assert [bench.read(one) > 5e-6 for one in DEVICES] == [False, True, False]
        daq = bench.laboratory.daq
        assert daq.levels("PXI1Slot3/ao2, PXI1Slot2/ao1:0").shape == (3,)
        bench.instruments.tester._daq.write([0.0, 0.3])
        assert_allclose(daq.levels("PXI1Slot2/ao1"), [0.3], atol=1e-3)
        assert bench.laboratory.live() == ("tester",)
    assert bench.laboratory.live() == ()


def test_columns_are_the_inputs_in_their_order():
    with rehearsed(BENCHES / "daq-alone.toml", preset="ideal", beyond=True) as bench:
        bench.laboratory.chip.cells["multiply"].set_cells(
            (np.array([1]), np.array([2])), np.array([4.5]), np.array([1e-3]), 5.0
        )
        cells = [Cell("multiply", row, column) for row in range(4) for column in range(4)]
        assert [(one.row, one.column) for one in cells if bench.read(one) > 5e-6] == [(1, 2)]
        bench.connect_multiply("multiply", [0, 1], [3, 2])
        currents = bench.multiply([[0.2, 0.2]])
        assert_allclose(currents, [[0.0, 0.2 * bench.read(Cell("multiply", 1, 2))]], atol=4e-8)


def test_what_switches_a_cell_switches_its_whole_row_where_there_are_columns():
    with rehearsed(BENCHES / "daq-alone.toml", beyond=True) as bench:
        bench.sweep(Cell("multiply", 1, 0), [1.0, 2.0, 4.0, 4.0])
        switched = {(r, c) for r in range(4) for c in range(4) if bench.read(Cell("multiply", r, c)) > 5e-6}
        assert switched == {(1, 0), (1, 1), (1, 2), (1, 3)}


def test_an_amplifier_at_its_end_is_beyond_the_range_and_no_number(tmp_path):
    path = described(tmp_path, "daq-row", ('"20 kohm"', '"10 Mohm"'))
    with rehearsed(path) as bench:
        bench.pulse(DEVICES[0], SET)
        with pytest.raises(BenchError, match="overflowed the measurement range"):
            bench.read(DEVICES[0])
        assert [one.current for one in bench.sweep(DEVICES[1], [0.1])] == pytest.approx([0.0], abs=2e-8)
        bench.connect_multiply("device", [0], [0])
        with pytest.raises(BenchError, match=r"column 0 is at its end: more than 9.9e-07 A flows"):
            bench.multiply([[0.2]])
    assert bench.laboratory.live() == ()


def test_a_current_above_the_limit_is_told_though_nothing_limits_it(tmp_path):
    with rehearsed(described(tmp_path, "daq-row", ("current_limit = 5e-4", "current_limit = 1e-6"))) as bench:
        bench.pulse(DEVICES[0], SET)
        with pytest.raises(BenchError, match="overflowed"):
            bench.read(DEVICES[0])


def test_a_width_is_whole_samples_and_what_is_not_is_refused_before_anything_moves():
    with rehearsed(BENCHES / "daq-row.toml") as bench:
        bench.read(DEVICES[0])
        played = dict(bench.laboratory.traffic)
        for width, nearest in ((60e-6, 5e-5), (20e-6, 5e-5), (130e-6, 1.5e-4)):
            with pytest.raises(
                LimitError, match=f"samples of 5e-05 s: take {nearest:g} s, or another `rate`"
            ):
                bench.pulse(DEVICES[0], Pulse("set", 1.0, width, 1.6))
            with pytest.raises(LimitError, match="not a whole number"):
                bench.check_pulse(Pulse("set", 1.0, width, 1.6))
        with pytest.raises(LimitError, match=r"bit line: voltage of 4.7 V exceeds"):
            bench.pulse(DEVICES[0], Pulse("set", 4.7, 1e-4, 1.6))
        assert bench.laboratory.traffic == played


def test_more_pulses_than_a_waveform_holds_are_several_waveforms(monkeypatch):
    monkeypatch.setattr("mho.instruments.drivers.ni_lines.MOST", 8)
    with rehearsed(BENCHES / "daq-row.toml") as bench:
        bench.pulse(DEVICES[0], Pulse("set", 1.0, 1e-4, 1.6), 7)
        assert bench.laboratory.monitor.extremes()["bit line"].pulses == 7


def test_a_sweep_waits_at_each_level_and_a_reading_takes_its_nplc(tmp_path):
    with rehearsed(described(tmp_path, "daq-row", ("nplc = 0.05", "nplc = 2.5"))) as bench:
        before = bench.now()
        bench.read(DEVICES[0])
        assert bench.now() - before > 2 * 0.05
        before = bench.now()
        points = bench.sweep(DEVICES[0], [0.1, 0.2], delay=0.1)
        assert bench.now() - before > 2 * 0.15
        assert [one.voltage for one in points] == [0.1, 0.2]
        with pytest.raises(InputError, match="a sweep of 2 points of 60 s and 1000 samples each is longer"):
            bench.sweep(DEVICES[0], [0.1, 0.2], delay=60.0)


@pytest.mark.parametrize("kind", ["underflow", "timeout"])
def test_a_fault_in_the_middle_leaves_every_output_at_0_v(kind):
    with rehearsed(BENCHES / "daq-row.toml") as bench:
        bench.read(DEVICES[0])
        bench.laboratory.faults.append(DaqFault(kind, match="wait_until_task_done"))
        with pytest.raises(InstrumentError, match="playing a waveform failed"):
            bench.pulse(DEVICES[0], SET)
        assert bench.laboratory.live() == ()
    assert bench.laboratory.live() == ()


def test_it_is_made_safe_from_outside_and_its_device_is_locked(tmp_path):
    path = described(
        tmp_path, "daq-row", ("rate = 20e3", 'products = { Dev1 = "USB-6363" }\nrate = "20 kHz"')
    )
    with Path(path).open("a", encoding="utf-8") as file:
        file.write("\n[simulation]\namplifier_supply = 15.0\n")
    assert list(confirm_bench_safe(path).identities) == ["tester"]
    assert load_bench_file(path).bench.instruments.daqmx_lists() == [
        "Dev1/ao3, Dev1/ao1:0, Dev1/ao2",
        "Dev1/ai17",
    ]


WRONG = float("nan"), float("inf"), 1e9, "high"


@pytest.mark.parametrize(
    ("method", "right", "wrong"),
    [
        ("configure", {"current_limit": 1e-3, "current_range": 1e-3, "nplc": 0.1},
         dict.fromkeys(("current_limit", "current_range", "nplc"), (*WRONG, 0.0))),
        ("select", {"cell": Cell("device", 0, 0)},
         {"cell": (Cell("device", 3, 0), Cell("device", -1, 0), Cell("device", 0, 1), Cell("device", 0.5, 0))}),
        ("gate", {"voltage": 1.0}, {"voltage": WRONG}),
        ("read", {"voltage": 0.1}, {"voltage": WRONG}),
        ("sweep", {"voltages": [0.1], "delay": 0.0},
         {"voltages": [[0.1, one] for one in WRONG], "delay": (*WRONG, -1.0)}),
        *[(name, {"voltage": 1.0, "width": 1e-4, "count": 1},
           {"voltage": WRONG, "width": (*WRONG, 0.0, -1e-4, 33e-6), "count": (*WRONG, 0, 1.5)})
          for name in ("check_shape", "pulse")],
        ("multiply", {"array": "device", "rows": [0], "columns": [0], "volts": [[0.1]]},
         {"rows": ([3], [0, 1], ["a"]), "columns": ([1], [-1]), "volts": ([[0.1, 0.2]], [0.1], [[float("nan")]], [[1e9]])}),
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused_before_anything_is_played(method, right, wrong):
    with rehearsed(BENCHES / "daq-row.toml") as bench:
        driver = bench.instruments.tester
        getattr(driver, method)(**right)
        before = {name: one.messages for name, one in bench.laboratory.traffic.items()}
        for name, values in wrong.items():
            for value in values:
                with pytest.raises(MhoError):
                    getattr(driver, method)(**{**right, name: value})
        assert {name: one.messages for name, one in bench.laboratory.traffic.items()} == before


@pytest.mark.parametrize(
    ("name", "changes", "says"),
    [
        ("daq-alone", [("Dev1/ao3, Dev1/ao1", "Dev1/ao3")],
         "has 3 `outputs`, and the array of chip map four-by-four.toml has 4 rows"),
        ("daq-alone", [(", Dev1/ai20", ", Dev1/ai20:21")],
         "has 5 `inputs`, and the array of chip map four-by-four.toml has 4 columns"),
        ("daq-alone", [("Dev1/ai20", "Dev1/ai3")], "`inputs` names dev1/ai3 twice: each line has a channel of its own"),
        ("daq-alone", [("Dev1/ai3:2", "Dev1/ai3:ai")], "'Dev1/ai3:ai' is no range of channels"),
        ("daq-alone", [("rate = 20e3", 'serves = ["read", "pulse", "select"]\nrate = 20e3')],
         "a pulse on a row reaches all its 4 cells"),
        ("daq-alone", [('voltage = 0.5             # V; not', "voltage = 4.0  #")],
         'the limit of 4 V in [limits."bit line"] must not be above the 0.5 V of [limits.vector]'),
        ("daq-alone", [('chip = "four-by-four.toml"', 'chip = "reference"')],
         "is wired to one array, and chip map reference has"),
        ("daq-alone", [('"20 kohm"', '"20 kV"')], "'20 kV' is no number in ohm"),
        ("daq-alone", [("rate = 20e3", 'serves = ["invert"]\nrate = 20e3')],
         "`serves` names `invert`, which this instrument does not do"),
        ("daq-alone", [("rate = 20e3", 'serves = ["gate"]\nrate = 20e3')],
         "`serves` names `gate`, which this instrument does not do"),
        ("daq-alone", [("rate = 20e3", 'address = "GPIB0::1::INSTR"\nrate = 20e3')], "address"),
        ("daq-row", [('"gate", "pulse"', '"pulse"')], "`gate` names an output, and `serves` does not name `gate`"),
        ("daq-row", [('gate = "Dev1/ao2"', 'gate = "Dev1/ao3"')], "`outputs` names dev1/ao3 twice"),
        ("daq-row", [('gate = "Dev1/ao2"', 'gate = "Dev1/ao2, Dev2/ao0"')], "give the one output at the word lines"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_a_sentence(tmp_path, name, changes, says):
    with pytest.raises(BenchError) as refused:
        load_bench_file(described(tmp_path, name, *changes))
    assert says in str(refused.value)


def test_a_limit_beyond_the_outputs_is_questioned(tmp_path):
    path = described(tmp_path, "daq-row", ("voltage = 4.0 ", "voltage = 12.0 "))
    assert doubtful_limits(load_bench_file(path))


def test_a_file_with_scattered_channels_and_a_board_loads_as_before(tmp_path):
    text = (ROOT / "mho/instruments/benches/simulated.toml").read_text("utf-8")
    changed = text.replace('outputs = "PXI1Slot2/ao0:31"', 'outputs = "PXI1Slot2/ao7:0, PXI1Slot2/ao8:31"')
    assert changed != text
    (tmp_path / "lab.toml").write_text(changed, "utf-8")
    bench = load_bench_file(str(tmp_path / "lab.toml")).bench
    assert bench.instruments.daq is not None
    assert bench.instruments.lines is None
