"""Sources drive the chip all the time: generators that run free, levels that are held, and what the wires say of it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import pyvisa
from daily import daily
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.instruments import Bench, Cell, Pulse, open_bench
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.laboratory.laboratory import Laboratory
from mho.instruments.simulated.excursions import Excursion
from mho.instruments.simulated.generators import Waveform
from mho.instruments.simulated.physics.cells.cells import FORMED, STUCK_ON, VIRGIN
from mho.instruments.simulated.visa.backend import register_rack, unregister_rack

CELL = (2, 3)
SET_PATH = ':MODE PROG;:ROUT:CELL "multiply",2,3;:ROUT:PATH SET'
PULSES = "OUTP1:LOAD INF;:FUNC PULS;:VOLT:LOW 0;:VOLT:HIGH {volts};:FUNC:PULS:WIDT 1e-6;:FUNC:PULS:PER 1e-5;"


class Desk:
    """A virtual bench whose instruments are spoken to by PyVISA, as a stranger's program would."""

    def __init__(self, lab: Laboratory, manager: pyvisa.ResourceManager) -> None:
        self.lab = lab
        options = {"read_termination": "\n", "write_termination": "\n"}
        opened: list[Any] = [manager.open_resource(name, **options) for name in list(lab.devices)[:4]]
        self.smu, self.gate, self.pulser, self.board = opened

    def route(self, path: str = "SET", gate: float = 1.8) -> None:
        self.gate.write(f":SOUR:VOLT {gate};:OUTP ON")
        self.board.write(f':MODE PROG;:ROUT:CELL "multiply",2,3;:ROUT:PATH {path}')

    @property
    def conductance(self) -> float:
        return float(self.lab.chip.cells["multiply"].conductance(CELL))

    @property
    def status(self) -> int:
        return int(self.lab.chip.cells["multiply"].status(CELL))

    @property
    def kinds(self) -> list[str]:
        return [incident.kind for incident in self.lab.incidents]


def desk_of(preset: str = "ideal", bench: str = "simulated") -> Iterator[Desk]:
    lab = Laboratory(load_bench_file(bench), preset=preset, seed=1)
    register_rack("running", lab)
    manager = pyvisa.ResourceManager("running@mho")
    try:
        yield Desk(lab, manager)
    finally:
        manager.close()
        unregister_rack("running")


@pytest.fixture
def desk() -> Iterator[Desk]:
    yield from desk_of()


FREE = {
    "pulses without a burst": ":OUTP1 ON",
    "bursts from the factory's trigger source": ":BURS:NCYC 3;STAT ON;:OUTP1 ON",
    "bursts from the timer": ":TRIG1:TIM 1e-3;SOUR TIM;:BURS:STAT ON;:OUTP1 ON",
    "a burst without end": ":TRIG1:SOUR BUS;:BURS:NCYC INF;STAT ON;:OUTP1 ON;:TRIG1",
    "a gated burst": ":BURS:MODE GAT;GATE:POL INV;:BURS:STAT ON;:OUTP1 ON",
    "a square wave": ":FUNC SQU;:OUTP1 ON",
    "a ramp": ":FUNC RAMP;:OUTP1 ON",
    "noise": ":FUNC NOIS;:OUTP1 ON",
    "a level": ":FUNC DC;:VOLT:OFFS 4;:OUTP1 ON",
    "a stored waveform": ":FUNC ARB;:OUTP1 ON",
}


@pytest.mark.parametrize("way", daily(FREE, 3))
def test_whatever_runs_free_forms_a_virgin_cell_and_is_an_incident(desk, way):
    desk.route()
    desk.pulser.write(PULSES.format(volts=4) + FREE[way])
    assert desk.status == VIRGIN
    desk.smu.query(":READ?")  # any instrument that takes time
    assert desk.status == FORMED
    found = next(incident for incident in desk.lab.incidents if incident.kind == "running generator")
    assert "multiply[2, 3]" in found.detail
    assert "3.99 V" in found.detail or "4 V" in found.detail
    before = len(desk.kinds)
    desk.smu.query(":READ?")
    assert len(desk.kinds) == before  # it is told once


@pytest.mark.parametrize(
    "settings",
    [":TRIG1:SOUR BUS;:BURS:STAT ON;:OUTP1 ON", ":TRIG1:SOUR EXT;:BURS:STAT ON;:OUTP1 ON",
     ":BURS:MODE GAT;:BURS:STAT ON;:OUTP1 ON", ":OUTP1 OFF"],
)  # fmt: skip
def test_what_waits_or_is_off_does_nothing(desk, settings):
    desk.route()
    desk.pulser.write(PULSES.format(volts=4) + settings)
    desk.lab.clock.advance(1.0)
    assert desk.status == VIRGIN
    assert desk.kinds == []


def test_a_burst_without_end_ends_when_it_is_aborted(desk):
    desk.route("READ")
    desk.pulser.write(PULSES.format(volts=4) + FREE["a burst without end"])
    generator = desk.lab.devices[desk.pulser.resource_name.replace("::0::INSTR", "::INSTR")]
    assert generator.running(1).period == pytest.approx(1e-5)
    desk.pulser.write("ABOR")
    assert generator.running(1) is None


def test_too_high_a_voltage_left_on_loses_the_cell_within_a_second(desk):
    desk.route()
    desk.pulser.write(PULSES.format(volts=4.5) + ":OUTP1 ON")
    desk.lab.clock.advance(1.0)
    assert desk.status == STUCK_ON
    seen = desk.lab.monitor.extremes()["bit line"]
    assert seen.pulses == pytest.approx(1e5, abs=2)
    assert seen.shortest_pulse == seen.longest_pulse == pytest.approx(1e-6)


def test_a_running_generator_beyond_a_limit_is_an_incident_behind_an_open_path_too(desk):
    desk.pulser.write(PULSES.format(volts=5) + ":OUTP1 ON")
    desk.lab.clock.advance(1.0)
    assert desk.kinds == ["over limit"]
    assert "bit line: voltage of 5 V" in desk.lab.incidents[0].detail


def test_a_path_that_closes_on_a_running_generator_is_a_hot_switch_at_its_highest(desk):
    desk.pulser.write(PULSES.format(volts=3) + ":OUTP1 ON")
    desk.lab.clock.advance(0.1)
    assert desk.kinds == []
    desk.route()
    assert desk.kinds == ["hot switch", "running generator"]
    assert "with 3 V on the bit line" in desk.lab.incidents[0].detail


def test_a_level_through_the_pulser_is_switched_at_its_own_voltage(desk):
    """DC has an offset and no amplitude: 9 V is 9 V."""
    desk.pulser.write("OUTP1:LOAD INF;:VOLT 4;:FUNC DC;:VOLT:OFFS 9;:OUTP1 ON")
    assert desk.pulser.query("SYST:ERR?").startswith("+0")
    assert float(desk.pulser.query("VOLT:OFFS?")) == 9.0
    desk.route()
    hot = next(incident for incident in desk.lab.incidents if incident.kind == "hot switch")
    assert "with 9 V on the bit line" in hot.detail
    desk.pulser.write("FUNC SIN")  # which has an amplitude of 4 V
    assert desk.pulser.query("SYST:ERR?").startswith("-221")
    assert float(desk.pulser.query("VOLT:OFFS?")) == 8.0


def test_a_sine_takes_a_cell_up_and_down_and_wears_it_out(desk):
    desk.route(gate=2.0)
    desk.pulser.write("OUTP1:LOAD INF;:FUNC SIN;:FREQ 1e6;:VOLT 8;:VOLT:OFFS 0;:OUTP1 ON")
    desk.lab.clock.advance(1000.0)
    assert desk.status == FORMED
    assert desk.conductance < 1e-6  # it ends with a trough
    assert desk.lab.chip.cells["multiply"].wear(CELL) > 1e9


def test_a_generator_on_the_source_line_resets(desk):
    desk.route()
    desk.pulser.write(PULSES.format(volts=4) + ":OUTP1 ON")
    desk.lab.clock.advance(1e-3)
    high = desk.conductance
    desk.pulser.write("OUTP1 OFF")
    desk.board.write(":ROUT:PATH OPEN;:ROUT:PATH RES")
    desk.pulser.write("OUTP2:LOAD INF;:SOUR2:FUNC PULS;:SOUR2:VOLT:LOW 0;HIGH 2;:OUTP2 ON")
    desk.lab.clock.advance(1e-2)
    assert desk.conductance < 0.1 * high
    assert "source line" in desk.lab.incidents[-1].detail


def test_the_watchdog_of_the_board_ends_what_a_generator_does(desk):
    desk.route()
    desk.board.write(":SYST:WDOG 1")
    desk.lab.clock.advance(2.0)
    desk.pulser.write(PULSES.format(volts=4) + ":OUTP1 ON")
    desk.lab.clock.advance(1.0)
    assert desk.status == VIRGIN
    assert desk.kinds == []


def test_with_nothing_on_the_word_line_nothing_happens_and_it_is_said(desk):
    desk.gate.write(":OUTP:SMOD HIMP")
    desk.board.write(SET_PATH)
    desk.pulser.write(PULSES.format(volts=4) + ":OUTP1 ON")
    desk.lab.clock.advance(1.0)
    assert desk.status == VIRGIN
    assert "nothing on the word line" in desk.lab.incidents[0].detail


def test_a_welded_switch_joins_a_running_generator_to_a_read(desk):
    desk.route("READ", gate=2.5)
    desk.smu.write(":SOUR:VOLT 0.2;:SOUR:VOLT:ILIM 1e-3;:OUTP ON")
    desk.lab.lines.welded.add("SET")
    desk.pulser.write(PULSES.format(volts=4) + ":OUTP1 ON")
    amperes = float(desk.smu.query(":READ?"))
    assert {"running generator", "contention"} <= set(desk.kinds)
    assert abs(amperes) == pytest.approx(
        1e-3, rel=0.01
    )  # in compliance: 0.2 V less 0.4 V on average, over 50 ohm


def test_a_generators_pulse_knows_no_current_limit(desk):
    """At nanoseconds a source-measure unit's limit protects nothing: the gate does."""
    desk.route(gate=2.0)
    desk.smu.write(":SOUR:VOLT:ILIM 1e-6;:OUTP ON")
    desk.pulser.write(PULSES.format(volts=4) + ":TRIG1:SOUR BUS;:BURS:STAT ON;:OUTP1 ON;:TRIG1")
    assert desk.conductance == pytest.approx(35e-6 * (2.0 - 0.8), rel=1e-3)
    assert desk.kinds == []


def test_a_source_that_holds_a_voltage_sets_without_a_measurement(desk):
    desk.route("READ")
    desk.smu.write(":SOUR:VOLT 3.5;:OUTP ON")
    desk.lab.clock.advance(1.0)
    assert desk.status == FORMED


HELD = {  # what is sent to which instrument, and the path that it goes by
    "generator": ("pulser", "OUTP1:LOAD INF;:FUNC DC;:VOLT:OFFS {volts};:OUTP1 ON", "SET"),
    "source-measure unit": ("smu", ":SOUR:VOLT:ILIM 1e-3;:SOUR:VOLT {volts};:OUTP ON", "READ"),
}


@pytest.mark.parametrize("preset", daily(["ideal", "relaxing"], ["relaxing"]))
@pytest.mark.parametrize("source", daily(HELD, 1))
@pytest.mark.parametrize(
    ("volts", "seconds", "status"),
    daily(
        [
            (4.5, 1.0, STUCK_ON),
            (10.0, 1.0, STUCK_ON),
            (4.5, 1e5, STUCK_ON),
            (4.2, 1.0, FORMED),
            (2.0, 1.0, VIRGIN),
        ],
        [(4.5, 1e5, STUCK_ON), (4.2, 1.0, FORMED)],
    ),
)
def test_what_a_level_does_does_not_depend_on_how_the_clock_is_cut(preset, source, volts, seconds, status):
    role, settings, path = HELD[source]
    for parts in (1, 2, 3, 10):
        for desk in desk_of(preset):
            desk.route(path, gate=4.0)
            getattr(desk, role).write(settings.format(volts=volts))
            for _ in range(parts):
                desk.lab.clock.advance(seconds / parts)
            assert desk.status == status, parts


@pytest.mark.parametrize(
    ("volts", "gate", "status"), [(4.5, 4.0, STUCK_ON), (2.45, 4.0, FORMED), (2.3, 4.0, VIRGIN)]
)
def test_half_a_period_of_a_slow_wave_is_a_level_too(volts, gate, status):
    """2.45 V needs some seconds to form a cell, 2.3 V more than five."""
    for parts in (1, 3, 10):
        for desk in desk_of():
            desk.route(gate=gate)
            wave = f"FUNC SQU;:FREQ 0.1;:VOLT:LOW 0;:VOLT:HIGH {volts}"
            desk.pulser.write(f"OUTP1:LOAD INF;:{wave};:OUTP1 ON")
            for _ in range(parts):
                desk.lab.clock.advance(15.0 / parts)
            assert desk.status == status, parts


def test_a_level_that_is_measured_resets_no_deeper_than_one_that_is_not():
    ends = []
    for readings in (1, 20):
        for desk in desk_of("pku"):
            desk.route("READ", gate=1.8)
            desk.lab.chip.cells["multiply"].set(CELL, 4.3, 1e-6, 1.8)
            desk.smu.write(":SOUR:VOLT:ILIM 1e-3;:SOUR:VOLT -0.93;:OUTP ON")
            for _ in range(readings):
                desk.lab.clock.advance(1e-5 / readings)
                desk.lab.lines.current("bit line", desk.lab.lines.held["bit line"], 1e-5 / readings)
                desk.lab.clock.advance(1e-5 / readings)
            ends.append(desk.conductance)
    assert ends[0] == pytest.approx(ends[1], rel=5e-3)
    assert 1e-6 < ends[0] < 38e-6  # on the way


def test_a_level_that_went_away_is_another_one_when_it_returns(desk):
    """Two SETs have two draws, however equal they are."""
    desk.route("READ", gate=1.8)
    lab = desk.lab
    desk.smu.write(":SOUR:VOLT:ILIM 1e-3;:SOUR:VOLT 3.5;:OUTP ON")

    def level() -> object:
        lab.clock.advance(1e-3)
        return lab.lines.levels.known["bit line"][1]

    first = level()
    assert level() is first
    for change in (":SOUR:VOLT 0;:SOUR:VOLT 3.5", ":OUTP OFF;:OUTP ON"):
        before = level()
        desk.smu.write(change)
        assert level() is not before
    before = level()
    desk.board.write(":ROUT:PATH OPEN;:ROUT:PATH READ")
    assert level() is not before


def test_a_level_held_by_a_daq_destroys_what_it_has_formed():
    for parts in (1, 3):
        lab = Laboratory(load_bench_file("simulated"), preset="ideal", seed=1)
        lab.board.write(b':MODE MULT;:ROUT:BLOC "multiply",(@0:1),(@0:1)')
        lab.vectors.hold(np.array([[4.5, 0.0]]), 0.0)
        for _ in range(parts):
            lab.clock.advance(1.0 / parts)
        assert lab.chip.cells["multiply"].status((slice(0, 2), 0)).tolist() == [STUCK_ON, VIRGIN]


def test_a_level_held_on_a_floating_gate_is_an_incident_before_anybody_measures(desk):
    desk.gate.write(":OUTP:SMOD HIMP;:OUTP OFF")
    desk.board.write(':MODE PROG;:ROUT:CELL "multiply",2,3;:ROUT:PATH READ')
    desk.smu.write(":SOUR:VOLT 3;:OUTP ON")
    for _ in range(3):
        desk.lab.clock.advance(1.0)
    assert desk.kinds == ["floating gate"]  # told once
    assert "3 V held at ('multiply', 2, 3)" in desk.lab.incidents[0].detail
    assert desk.status == VIRGIN
    desk.smu.write(":OUTP OFF")
    desk.lab.clock.advance(1.0)
    desk.smu.write(":OUTP ON")
    desk.lab.clock.advance(1.0)
    assert desk.kinds == ["floating gate"] * 2


def test_a_generators_level_is_a_pulse_that_does_not_end(desk):
    """The limit of a pulse's width is for generators: a level through one exceeds it, a source-measure unit's does not."""
    desk.smu.write(":SOUR:VOLT 1;:OUTP ON")
    desk.lab.clock.advance(1.0)
    desk.pulser.write("OUTP1:LOAD INF;:FUNC DC;:VOLT:OFFS 3;:OUTP1 ON")
    desk.lab.clock.advance(9e-6)
    assert desk.kinds == []
    desk.lab.clock.advance(0.5)
    desk.lab.clock.advance(0.5)
    assert desk.kinds == ["over limit"]
    assert "bit line: pulse width of" in desk.lab.incidents[0].detail


def test_a_current_source_is_judged_at_the_voltage_that_forms_a_cell(tmp_path):
    """Afterwards it is lower: 100 uA in a formed cell."""
    text = load_bench_file("simulated").text.replace("voltage = 4.6", "voltage = 2.8", 1)
    path = tmp_path / "bench.toml"
    path.write_text(text, "utf-8")
    for desk in desk_of(bench=str(path)):
        desk.route("READ", gate=4.0)
        desk.smu.write(":SOUR:FUNC CURR;:SOUR:CURR:VLIM 15;:SOUR:CURR 1e-4;:OUTP ON")
        assert desk.status == FORMED
        highest = desk.lab.monitor.extremes()["bit line"].highest
        assert 2.91 < highest < 1.11 * 2.91  # 3.15 V less two decades of 0.12 V, and a step
        assert desk.lab.lines.held["bit line"] < 2.0
        assert desk.kinds == ["over limit"]


@pytest.mark.parametrize("frequency", [1.0, 1e3, 1e5, 3e7])
def test_how_long_a_generator_runs_costs_nothing(desk, frequency):
    """Acts on the cell are counted, not seconds: no more for a day at 30 MHz than for a second at 1 kHz."""
    acts = []
    cells = desk.lab.chip.cells["multiply"]
    for name in ("_set", "_reset"):
        method = getattr(cells, name)
        setattr(cells, name, lambda *a, method=method: (acts.append(1), method(*a)))
    desk.route()
    desk.pulser.write(f"OUTP1:LOAD INF;:FUNC SIN;:FREQ {frequency};:VOLT 6;:VOLT:OFFS 0;:OUTP1 ON")
    desk.lab.clock.advance(86400.0)
    assert 0 < len(acts) < 500


@pytest.fixture(scope="module")
def two_labs() -> tuple[Laboratory, Laboratory, Iterator[int]]:
    """Two equal benches, and numbers of columns whose cells are virgin."""
    free, loop = (Laboratory(load_bench_file("simulated"), preset="ideal", seed=1) for _ in range(2))
    for lab in (free, loop):
        lab.lines.drive("word line", 1.8, True)
        lab.board.write(b":MODE PROG")
    return free, loop, itertools.count()


@given(
    volts=st.floats(0.7, 4.3),
    period=st.floats(-6.0, -2.0).map(lambda exponent: 10.0**exponent),
    duty=st.floats(0.05, 0.95),
    parts=st.lists(st.floats(0.01, 20.0), min_size=1, max_size=4),
)
@settings(max_examples=50, deadline=None)
def test_running_is_the_same_as_pulse_by_pulse(two_labs, volts, period, duty, parts):
    """Any amplitude, frequency and duty cycle, for any time in any parts (in periods)."""
    free, loop, columns = two_labs
    column = next(columns)
    generator = free.devices["USB0::0x0957::0x2C07::SIM00003::INSTR"]
    generator.write(b"OUTP1 OFF")
    for lab in (free, loop):
        lab.board.write(f':ROUT:PATH OPEN;:ROUT:CELL "multiply",0,{column};:ROUT:PATH SET'.encode())
        lab.chip.cells["multiply"].set((0, column), 4.2, 1e-6, 1.1)  # formed, and low
    generator.write(
        f"OUTP1:LOAD INF;:FUNC PULS;:VOLT:LOW 0;HIGH {volts:.9e};:FUNC:PULS:PER {period:.9e};"
        f":FUNC:PULS:WIDT {duty * period:.9e};:OUTP1 ON".encode()
    )
    width, period = generator.width[1], generator.period[1]
    for part in parts:
        free.clock.advance(part * period)
    duration = sum(parts)
    for number in range(math.ceil(duration)):
        seconds = min(width, (duration - number) * period)
        if seconds > 1e-12:
            loop.lines.train("bit line", [Excursion(volts, seconds)], 1)
    conductances = [float(lab.chip.cells["multiply"].conductance((0, column))) for lab in (free, loop)]
    assert conductances[0] == pytest.approx(conductances[1], rel=2e-3)


@given(
    lengths=st.lists(st.floats(1e-9, 1.0), min_size=1, max_size=5),
    ends=st.lists(st.floats(0.0, 1e4), min_size=2, max_size=6),
)
def test_parts_of_a_waveform_add_up_to_it(lengths, ends):
    """However time is cut, every level comes for as long as it has to."""
    waveform = Waveform(tuple(Excursion(float(n + 1), length) for n, length in enumerate(lengths)))
    ends = sorted(ends)
    whole = seconds_by_level(waveform, ends[0], ends[-1])
    parts: dict[float, float] = {}
    for start, end in itertools.pairwise(ends):
        for volts, seconds in seconds_by_level(waveform, start, end).items():
            parts[volts] = parts.get(volts, 0.0) + seconds
    assert sum(whole.values()) == pytest.approx(ends[-1] - ends[0], abs=1e-8)
    for volts in whole.keys() | parts.keys():
        assert parts.get(volts, 0.0) == pytest.approx(whole.get(volts, 0.0), abs=1e-7, rel=1e-6)


def seconds_by_level(waveform: Waveform, start: float, end: float) -> dict[float, float]:
    found: dict[float, float] = {}
    for levels, count in waveform.between(start, end):
        for volts, seconds, times in levels:
            found[volts] = found.get(volts, 0.0) + seconds * times * count
    return found


# --- on a whole bench ---


def left_on(bench: Bench, volts: float = 4.0) -> None:
    """Somebody has left the pulser running free at its front panel."""
    pulser = bench.laboratory.devices[bench.file.instruments.pulser.address]
    pulser.write((PULSES.format(volts=volts) + ":BURS:STAT OFF;:OUTP1 ON").encode())


def kinds_of(bench: Bench) -> list[str]:
    return [incident.kind for incident in bench.laboratory.incidents]


def test_through_a_switch_matrix_a_running_generator_acts_where_it_is_joined():
    cell = Cell("multiply", 3, 7)
    with open_bench("switched", preset="ideal", seed=1) as bench:
        left_on(bench)
        bench.laboratory.clock.advance(1.0)
        assert kinds_of(bench) == []  # all its crosspoints are open
    with open_bench("switched", preset="ideal", seed=1) as bench:
        bench.pulse(cell, Pulse("set", 2.0, 1e-7, 1.6))  # too low to form; the path stays closed
        assert bench.laboratory.chip.cells["multiply"].status((3, 7)) == VIRGIN
        left_on(bench)
        bench.laboratory.clock.advance(1.0)
        assert bench.laboratory.chip.cells["multiply"].status((3, 7)) == FORMED
        assert kinds_of(bench) == ["running generator"]
        bench.laboratory.devices["GPIB0::16::INSTR"].write(b"channel.open('1C01')")
        assert kinds_of(bench)[1:] == ["hot switch"]
        assert "4 V of pulser 1" in bench.laboratory.incidents[-1].detail
