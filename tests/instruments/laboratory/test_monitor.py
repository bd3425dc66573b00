"""What the wires have seen: extremes of every terminal, what would have hurt, and the traffic on the buses."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
import pyvisa
from hypothesis import given
from hypothesis import strategies as st

from mho.errors import BenchError
from mho.instruments import Bench, Cell, Pulse, open_bench
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.laboratory.laboratory import Laboratory
from mho.instruments.laboratory.monitor import SOURCE_EDGE, Trace
from mho.instruments.limits import TerminalLimits
from mho.instruments.simulated.visa.backend import register_rack, unregister_rack

CELL = Cell("multiply", 2, 3)
FORM = Pulse("set", 4.0, 1e-6, 1.6)
RESET = Pulse("reset", 1.5, 100e-9, 2.8)


@pytest.fixture
def bench() -> Iterator[Bench]:
    with open_bench(preset="ideal", seed=1) as opened:
        yield opened


@pytest.fixture
def lab(bench) -> Laboratory:
    return bench.laboratory


def kinds(lab: Laboratory) -> list[str]:
    return [incident.kind for incident in lab.incidents]


LIMITS = TerminalLimits(4.0, 1e-3, 1e-5, slew=3e8)


def trace(limits: TerminalLimits = LIMITS) -> tuple[Trace, list[str]]:
    told: list[str] = []
    return Trace("bit line", limits, lambda kind, detail: told.append(detail)), told


def test_a_bench_that_only_opened_has_seen_nothing(lab):
    for extremes in lab.monitor.extremes().values():
        assert (extremes.voltage, extremes.current, extremes.slew, extremes.pulses) == (0.0, 0.0, 0.0, 0)
        assert math.isnan(extremes.longest_pulse)


def test_extremes_are_those_of_what_was_done(bench, lab):
    bench.pulse(CELL, FORM)
    bench.pulse(CELL, RESET)
    conductance = bench.read(CELL)
    seen = lab.monitor.extremes()
    bit, source, word = seen["bit line"], seen["source line"], seen["word line"]
    assert (bit.highest, bit.lowest) == (pytest.approx(4.0), pytest.approx(0.0, abs=5e-3))
    assert (bit.shortest_pulse, bit.longest_pulse) == (1e-6, 1e-6)
    assert (source.voltage, source.shortest_pulse) == (pytest.approx(1.5), 1e-7)
    assert word.voltage == pytest.approx(2.8, rel=2e-3)
    assert bit.current == pytest.approx(0.2 * conductance, rel=1e-2)
    assert seen["vector"].voltage == 0.0
    assert lab.monitor.pulses == 2
    assert lab.incidents == []


def test_a_pulse_leaves_the_generator_on_the_line_it_is_for_only(bench, lab):
    bench.pulse(CELL, FORM)
    bench.pulse(CELL, RESET)
    assert [lab.monitor.extremes()[line].pulses for line in ("bit line", "source line")] == [1, 1]
    assert lab.monitor.pulses == 2


def test_a_pulses_slew_is_that_of_its_edges(bench, lab):
    bench.pulse(CELL, FORM)
    generator = lab.devices[bench.file.instruments.pulser.address]
    edge = min(generator.leading[1], generator.trailing[1])
    assert lab.monitor.extremes()["bit line"].slew == pytest.approx(0.8 * 4.0 / edge)


def test_a_sources_step_takes_its_settling_time(bench, lab):
    bench.prepare()
    bench.instruments.gate.hold(1.5)
    bench.instruments.gate.hold(-0.5)
    word = lab.monitor.extremes()["word line"]
    assert word.slew == pytest.approx(2.0 / SOURCE_EDGE, rel=1e-2)
    assert (word.lowest, word.highest) == (pytest.approx(-0.5, rel=1e-2), pytest.approx(1.5, rel=1e-2))


def test_vectors_are_watched_sample_by_sample(bench, lab):
    bench.connect_multiply("multiply", range(4), range(4))
    bench.multiply(np.array([[0.1, 0.2, -0.3, 0.0], [0.4, 0.0, 0.0, 0.0]]))
    vector = lab.monitor.extremes()["vector"]
    assert (vector.lowest, vector.highest) == (pytest.approx(-0.3, abs=2e-3), pytest.approx(0.4, abs=2e-3))
    assert 0.0 < vector.slew <= 0.41 * bench.file.instruments.daq.rate
    watched, _ = trace()
    watched.take_samples(np.array([[0.1, 0.0], [-0.2, 0.1], [0.1, 0.1]]), 1e-5)
    assert watched.extremes().slew == pytest.approx(0.3 / 1e-5)


@given(st.lists(st.floats(-5.0, 5.0), max_size=20))
def test_extremes_are_the_extremes_of_any_walk(levels):
    watched, _ = trace(TerminalLimits(math.inf))
    for level in levels:
        watched.take_level(level)
    seen = watched.extremes()
    assert (seen.lowest, seen.highest) == (min([0.0, *levels]), max([0.0, *levels]))
    steps = np.abs(np.diff([0.0, *levels]))
    assert seen.slew == pytest.approx(steps.max(initial=0.0) / SOURCE_EDGE)


def test_what_goes_beyond_a_limit_is_told_once_and_a_hair_is_not():
    watched, told = trace()
    watched.take_level(4.02)  # within the sources' accuracy
    watched.take_current(1.005e-3, lambda: math.inf)
    assert told == []
    watched.take_level(-4.5)
    watched.take_level(4.6)
    watched.take_current(-2e-3, lambda: math.inf)
    watched.take_pulses(1.0, 2e-5, 1e-8, 1)
    watched.take_pulses(1.0, 3e-5, 1e-8, 1)
    watched.take_pulses(3.0, 1e-6, 0.7995e-8, 1)  # a hair
    watched.take_pulses(3.0, 1e-6, 0.7e-8, 1)
    watched.take_pulses(3.0, 1e-6, 0.6e-8, 1)
    assert [detail.split(":")[1].split(" of")[0].strip() for detail in told] == [
        "voltage",
        "current",
        "pulse width",
        "slew",
    ]
    assert "-4.5 V" in told[0]
    assert "limit of 4 V" in told[0]


def test_a_source_carries_no_more_than_its_compliance(bench, lab):
    watched, told = trace()
    watched.take_current(1.0, lambda: 1e-4)
    assert (watched.current, told) == (1e-4, [])
    bench.pulse(CELL, FORM)
    lab.lines.welded.add("SET")
    with pytest.raises(BenchError, match="ran into the current limit"):
        bench.read(CELL)
    assert lab.monitor.extremes()["bit line"].current == pytest.approx(
        bench.file.read.current_limit, rel=1e-3
    )


def test_a_value_beyond_the_bench_files_limit_is_an_incident_whoever_sends_it(bench, lab):
    bench.prepare()
    bench.instruments.gate.hold(4.5)  # the driver alone knows no limits of the chip
    assert kinds(lab) == ["over limit"]
    assert "word line: voltage of 4.5" in lab.incidents[0].detail


def test_a_source_that_a_pulse_runs_into_is_contention(bench, lab):
    bench.pulse(CELL, FORM)
    assert lab.incidents == []  # at 0 V it rests behind its open switch
    bench.instruments.smu.hold(0.3)
    bench.instruments.pulser.fire(1)
    assert kinds(lab) == ["contention"]
    assert "a pulse of 4 V against a source at 0.3 V" in lab.incidents[0].detail


def test_a_welded_switch_makes_a_resting_source_contention(bench, lab):
    bench.pulse(CELL, FORM)
    bench.read(CELL)
    lab.lines.welded.add("READ")
    bench.pulse(CELL, FORM)
    assert kinds(lab) == ["contention"]
    assert "READ switch is welded" in lab.incidents[0].detail


def test_a_welded_read_switch_leaves_the_cell_connected(bench, lab):
    bench.pulse(CELL, FORM)
    true = bench.read(CELL)
    lab.lines.welded.add("READ")
    bench.instruments.board.route("OPEN")
    assert lab.lines.current("bit line", 0.2, 1e-3) == pytest.approx(0.2 * true, rel=1e-2)


def test_a_generator_that_idles_above_zero_makes_switching_hot(bench, lab):
    bench.prepare()
    pulser = lab.devices[bench.file.instruments.pulser.address]
    pulser.write(b"SOUR1:VOLT:HIGH 2;:SOUR1:VOLT:LOW 1\n")
    bench.instruments.board.select(CELL)
    bench.instruments.board.route("SET")
    assert kinds(lab) == ["hot switch", "running generator"]
    assert "path changed with 1 V on the bit line" in lab.incidents[0].detail


def test_an_output_of_the_daq_that_stays_up_makes_switching_hot(bench, lab):
    import nidaqmx

    bench.connect_multiply("multiply", range(4), range(4))
    with lab.daq_session(), nidaqmx.Task() as task:
        task.ao_channels.add_ao_voltage_chan("PXI1Slot2/ao0")
        task.write(0.5)
        bench.instruments.board.set_mode("SAFE")
    assert kinds(lab) == ["hot switch"]
    assert "0.5 V on the vector's lines" in lab.incidents[0].detail


def test_a_generation_that_goes_on_makes_switching_hot_and_is_watched(bench, lab):
    import nidaqmx
    from nidaqmx.constants import AcquisitionType

    bench.connect_multiply("multiply", range(4), range(4))
    with lab.daq_session(), nidaqmx.Task() as task:
        task.ao_channels.add_ao_voltage_chan("PXI1Slot2/ao0")
        task.timing.cfg_samp_clk_timing(1e3, sample_mode=AcquisitionType.CONTINUOUS)
        task.write([0.0, 3.0, 0.0])
        task.start()
        assert kinds(lab)[:1] == ["over limit"]  # 1 V, with nobody measuring
        lab.clock.advance(1.0)
        assert "disturb" in kinds(lab)
        bench.instruments.board.set_mode("SAFE")
    assert "3 V on the vector's lines" in lab.incidents[-1].detail


def test_vectors_too_high_for_a_read_switch_the_cells(bench, lab):
    for row in range(2):
        bench.pulse(Cell("multiply", row, 0), Pulse("set", 4.0, 1e-6, 1.2))
    low = lab.chip.cells["multiply"].conductance((slice(0, 2), 0)).copy()
    bench.connect_multiply("multiply", range(4), range(4))
    bench.multiply(np.array([[0.9, 0.5, 0.0, 0.0]] * 10))
    high = lab.chip.cells["multiply"].conductance((slice(0, 2), 0))
    assert high[0] > 1.5 * low[0]
    assert high[1] == low[1]
    assert kinds(lab) == ["disturb"]


def test_traffic_is_counted_at_the_wire():
    lab = Laboratory(load_bench_file("simulated"), preset="ideal", seed=1)
    smu, other = list(lab.devices)[:2]
    register_rack("monitor-test", lab)
    try:
        options = {"read_termination": "\n", "write_termination": "\n"}
        instrument = pyvisa.ResourceManager("monitor-test@mho").open_resource(smu, **options)
        identity = instrument.query("*IDN?")
        instrument.write("*CLS")
        instrument.write("*IDN?")
        assert instrument.read_bytes(4) + instrument.read_raw() == identity.encode() + b"\n"
        counted = lab.monitor.traffic[smu]
        assert (counted.messages, counted.bytes_sent) == (3, 6 + 5 + 6)
        assert (counted.replies, counted.bytes_received) == (2, 2 * len(identity) + 2)
        assert lab.monitor.traffic[other].messages == 0
    finally:
        unregister_rack("monitor-test")


def test_vectors_count_as_traffic_of_the_daq(bench, lab):
    bench.connect_multiply("multiply", range(4), range(4))
    bench.multiply(np.zeros((5, 4)))
    counted = lab.monitor.traffic[bench.file.instruments.daq.outputs]
    assert counted.messages >= 1
    assert counted.bytes_sent >= 6 * 32 * 8


@pytest.mark.parametrize("name", ["simulated", "arrays"])
def test_more_than_a_formed_cell_bears_is_an_incident_of_its_own_kind(name):
    with open_bench(name, preset="ideal", seed=1) as bench:
        other = Cell("multiply", 2, 4)
        bench.pulse(CELL, FORM)
        assert bench.simulated.incidents == []
        bench.pulse(CELL, Pulse("set", 4.5, 100e-9, 1.0))
        bench.pulse(other, FORM)
        (one,) = bench.simulated.incidents
        assert (one.kind, one.detail) == (
            "over-voltage",
            "multiply[2, 3]: 4.5 V on the bit line of a formed cell, which bears 4.4 V; it is destroyed",
        )
        assert 0.0 < one.time < bench.now()


def test_incidents_of_wires_and_cells_are_in_the_order_of_time(bench, lab):
    bench.pulse(CELL, FORM)
    bench.pulse(CELL, Pulse("set", 4.5, 100e-9, 1.0))
    bench.instruments.smu.hold(0.3)
    bench.instruments.pulser.fire(1)
    assert kinds(lab) == ["over-voltage", "contention"]
