"""The bench of an ArC TWO: its driver does with pyarc2 what it says, and its twin is what pyarc2 is."""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.testing import assert_allclose
from repository import ROOT

import mho
from mho.errors import BenchError, InstrumentError, LimitError
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.bench_file.models import load_class
from mho.instruments.opening.opening import open_rehearsal
from mho.instruments.roles import Cell, Pulse
from mho.instruments.simulated.clock import VirtualClock

BENCHES = ROOT / "docs/benches"
FILE = str(BENCHES / "arc-two.toml")
ArcTwo = load_class(str(BENCHES / "arc_two.py:ArcTwo"))
Twin = load_class(str(BENCHES / "simulated_arc_two.py:SimulatedArcTwo"))
DRIVER, TWIN = sys.modules[ArcTwo.__module__], sys.modules[Twin.__module__]
OPTIONS = load_bench_file(FILE).bench.instruments.tester.options
WORDS, BITS = OPTIONS["words"], OPTIONS["bits"]


@dataclass
class Resistors:
    """A crossbar of resistors, (32, 32) S, at which nothing switches; `pulses` are those that a cell has seen."""

    siemens: np.ndarray
    clock: VirtualClock
    pulses: dict = field(default_factory=dict)
    starts: list = field(default_factory=list)

    def array_size(self, array):
        return self.siemens.shape

    def read(self, cell, volts, aperture):
        return volts * self.siemens[cell[1:]]

    def pulse(self, cell, volts, width, count):
        self.starts.append(self.clock.now)
        self.pulses.setdefault(cell[1:], []).append((round(volts, 3), width, count))

    def multiply(self, array, rows, columns, volts, period):
        return volts @ self.siemens[np.ix_(rows, columns)]


class Rig:
    """A driver and a twin at resistors."""

    def __init__(self, **options):
        clock = VirtualClock()
        self.cells = Resistors(1e-6 * (1.0 + np.arange(1024).reshape(32, 32)), clock)
        self.library = Twin(clock, np.random.default_rng(1), self.cells, words=WORDS, bits=BITS)
        self.driver = ArcTwo("ArC TWO", self.library, **{**OPTIONS, **options})
        self.unit, self.channels = self.driver._unit, self.library.channels

    def at(self, row, column):
        self.driver.select(Cell("multiply", row, column))
        return self.driver


@pytest.fixture
def rig():
    return Rig()


def refusal(**options):
    with pytest.raises(InstrumentError) as refused:
        Rig(**options)
    return str(refused.value)


def opened(address, ids):
    library = Rig().library
    library.ids = ids
    with pytest.raises(InstrumentError) as refused:
        ArcTwo(address, library, **OPTIONS)
    return str(refused.value)


# --- readings ---


@pytest.mark.parametrize("cell", [(0, 0), (1, 0), (0, 1), (31, 30)])
@pytest.mark.parametrize("volts", [0.2, -0.2])
def test_the_current_of_a_cell_has_the_sign_of_its_voltage(rig, cell, volts):
    reading = rig.at(*cell).read(volts)
    assert_allclose(reading.current, volts * rig.cells.siemens[cell], rtol=1e-2, atol=1e-9)
    assert (reading.voltage, reading.tripped) == (volts, False)
    assert not rig.channels.volts.any()


def test_a_sweep_waits_at_each_level_and_ends_at_rest(rig):
    levels = [0.1, 0.6, -0.6, 0.0]
    before = rig.library.channels.clock.now
    currents = [one.current for one in rig.at(3, 4).sweep(levels, 0.02)]
    assert_allclose(currents, np.array(levels) * rig.cells.siemens[3, 4], rtol=1e-2, atol=1e-9)
    assert 4 * 0.02 < rig.channels.clock.now - before < 4 * 0.02 + 0.02
    assert {width for seen in rig.cells.pulses.values() for _, width, _ in seen} >= {0.02}
    assert not rig.channels.volts.any()


def test_in_a_sweep_no_other_cell_sees_more_than_half_and_none_at_its_column_anything(rig):
    rig.driver.make_safe()  # from where all lines are disconnected from their sources
    rig.at(3, 4).sweep([2.0], 0.01)
    seen = {cell: volts for cell, ((volts, *_), *_) in rig.cells.pulses.items()}
    assert seen.pop((3, 4)) == 2.0
    assert {abs(volts) for volts in seen.values()} == {1.0}
    assert set(seen) == {(row, column) for row in range(32) for column in range(32) if column != 4}


def test_products_are_those_of_the_cells_whatever_lines_and_however_many_vectors(rig):
    rows, columns = [30, 2, 7], [1, 0, 31, 16]
    volts = np.random.default_rng(2).uniform(-0.3, 0.3, (150, 3))
    currents = rig.driver.multiply("multiply", rows, columns, volts)
    assert_allclose(currents, volts @ rig.cells.siemens[np.ix_(rows, columns)], rtol=1e-2, atol=1e-6)


def test_a_vector_takes_what_the_driver_says_besides_the_reading(rig):
    def seconds(count):
        before = rig.channels.clock.now
        rig.driver.multiply("multiply", [0], [0], np.full((count, 1), 0.1))
        return rig.channels.clock.now - before

    seconds(1)  # amplifiers are prepared once
    assert (seconds(60) - seconds(10)) / 50 - TWIN.APERTURE == pytest.approx(ArcTwo.sample_period)


def test_a_current_beyond_the_range_is_infinite_in_a_reading_and_refused_in_a_product(rig):
    rig.cells.siemens[5, 6] = 0.1
    reading = rig.at(5, 6).read(-0.2)
    assert (reading.current, reading.tripped) == (-np.inf, True)
    assert not rig.at(5, 7).read(0.2).tripped
    with pytest.raises(InstrumentError, match=r"column 6 draws more than the 0.012 A of a channel"):
        rig.driver.multiply("multiply", [4, 5], [7, 6], np.full((1, 2), 0.2))


def test_small_currents_are_read_in_the_finest_range(rig):
    rig.cells.siemens[:] = 1e-9
    assert_allclose([rig.at(0, 0).read(0.5).current for _ in range(50)], 5e-10, atol=1e-9)


# --- pulses ---


def test_a_pulse_may_have_what_two_channels_give(rig):
    rig.at(0, 0).pulse(-19.9, 1e-6)
    assert rig.cells.pulses[0, 0][0][0] == pytest.approx(-19.9, abs=1e-3)


def test_a_pulse_is_whole_at_its_cell_and_half_at_the_others_of_its_lines(rig):
    rig.at(3, 4).pulse(-2.4, 1e-6, 2)
    seen = rig.cells.pulses
    assert seen[3, 4] == [(-2.4, pytest.approx(1e-6), 1)] * 2
    assert {cell for cell in seen if cell != (3, 4)} == {
        *((3, column) for column in range(32) if column != 4), *((row, 4) for row in range(32) if row != 3),
    }  # fmt: skip
    assert {volts for cell in seen if cell != (3, 4) for volts, _, _ in seen[cell]} == {-1.2}


@pytest.mark.parametrize("width", [40e-9, 1e-6, 0.3, 0.7])
def test_a_pulse_lasts_as_long_as_asked_and_no_line_floats(rig, width):
    rig.driver.make_safe()  # from where all lines are disconnected from their sources
    rig.at(0, 0).pulse(1.4, width)
    ((volts, seconds, _),) = rig.cells.pulses[0, 0]
    assert (volts, seconds) == (1.4, pytest.approx(width, abs=5e-5 if width > 0.5 else 1e-9))
    assert len(rig.cells.pulses) == 63
    assert not np.isnan(rig.channels.volts).any()


@pytest.mark.parametrize("width", [1e-6, 0.5])
def test_between_two_pulses_there_are_0_v(rig, width):
    rig.at(0, 0).pulse(1.4, width, 2)
    first, second = sorted({round(start, 9) for start in rig.cells.starts})
    assert second - first > width + (5.5e-5 if width == 0.5 else 2.5e-5)


def test_each_batch_that_is_sent_ends_at_rest_without_the_host(rig, monkeypatch):
    ends, execute = [], type(rig.unit).execute

    def watched(unit):
        execute(unit)
        ends.append(np.abs(np.nan_to_num(rig.channels.volts)).max())
        return unit

    monkeypatch.setattr(type(rig.unit), "execute", watched)
    rig.at(0, 0).pulse(2.0, 1e-6, 200)
    rig.driver.pulse(2.0, 0.6, 2)
    rig.driver.sweep([0.3] * 100)
    assert ends == [0.0] * (4 + 2 + 2)
    assert len(rig.cells.pulses[0, 0]) == 202


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda unit: unit.pulse(20.1, 1e-6), "two channels of the ArC TWO give at most 20 V"),
        (lambda unit: unit.pulse(1.0, 3e-8), "a pulse of 3e-08 s is none of the ArC TWO's: it makes 4e-08 to 80 s"),
        (lambda unit: unit.pulse(1.0, 90.0), "a pulse of 90 s is none"),
        (lambda unit: unit.read(10.1), "a channel of the ArC TWO gives at most 10 V"),
        (lambda unit: unit.read(float("nan")), "a channel of the ArC TWO gives at most 10 V"),
        (lambda unit: unit.select(Cell("multiply", 32, 0)), "no channel for row 32, column 0"),
        (lambda unit: unit.select(Cell("multiply", 0, 32)), "no channel for row 0, column 32"),
    ],
)  # fmt: skip
def test_what_the_library_would_round_in_silence_is_refused_before_anything_is_sent(rig, act, said):
    now = rig.channels.clock.now
    with pytest.raises(InstrumentError, match=said):
        act(rig.at(0, 0))
    assert (rig.cells.pulses, rig.channels.clock.now) == ({}, now)


# --- opening, and what goes wrong ---


def test_which_instrument_is_meant_is_found_or_asked():
    assert "no ArC TWO is connected: look at its USB cable" in opened("ArC TWO", [])
    assert "say as `address` which, 'ArC TWO 0', 'ArC TWO 3'" in opened("ArC TWO", [0, 3])
    assert "'ArC TWO 1' is not connected: there is 'ArC TWO 0'" in opened("ArC TWO 1", [0])
    assert "'USB0::1' is no ArC TWO: write 'ArC TWO'" in opened("USB0::1", [0])
    library = Rig().library
    library.ids = [0, 3]
    assert ArcTwo("arc two 3", library, **OPTIONS).identify().startswith("ArC Instruments,ArC TWO 3,efm03_")


def test_firmware_that_is_not_there_is_said(tmp_path):
    def fails(*_):
        raise TWIN.ArC2Error("FPGA Error: -7")

    library = Rig().library
    library.Instrument = fails
    with pytest.raises(InstrumentError, match=r"cannot be opened: FPGA Error: -7; there is no file 'efm03"):
        ArcTwo("ArC TWO", library, **OPTIONS)
    (tmp_path / "own.bin").write_bytes(b"")
    with pytest.raises(InstrumentError, match=r"cannot be opened: FPGA Error: -7$"):
        ArcTwo("ArC TWO", library, **OPTIONS | {"firmware": str(tmp_path / "own.bin")})


def test_a_wiring_that_cannot_be_is_refused():
    assert "lists of channels, 0 to 63" in refusal(words=[64, *WORDS[1:]])
    assert "lists of channels, 0 to 63" in refusal(words=[])
    assert "lists of channels, 0 to 63" in refusal(bits=[True, *BITS[1:]])
    assert "name channel 15 twice" in refusal(words=[15, *WORDS[1:]])
    assert "share channels 16 to 23, whose fast drivers" in refusal(words=[16], bits=[17])
    assert "`control` of the ArC TWO is 'socket': take 'internal' or 'header'" in refusal(control="socket")


@pytest.mark.parametrize(("control", "mode"), [("internal", "Internal"), ("header", "Header")])
def test_socket_or_pins_are_connected_and_the_wiring_is_kept_with_a_run(control, mode):
    rig = Rig(control=control)
    assert rig.channels.control is TWIN.ControlMode[mode]
    assert (rig.channels.volts == 0.0).all()  # none floats
    settings = rig.driver.settings()
    assert settings["control"] == control
    assert settings["rows"].split() == [str(one) for one in WORDS]
    assert settings["columns"].startswith("15 32 14")


def test_safe_is_at_hard_ground_and_what_is_not_at_0_v_is_told(rig, monkeypatch):
    assert not rig.driver.output_enabled
    rig.unit.config_channels([(9, 1.0)], None).execute()
    assert rig.driver.output_enabled
    rig.driver.make_safe()
    assert rig.channels.grounded.all()
    assert not rig.channels.driven.any()
    assert not rig.driver.output_enabled
    stuck = np.where(np.arange(64) == 9, 0.5, np.where(np.arange(64) == 11, np.nan, 0.0))
    monkeypatch.setattr(rig.channels, "voltages", lambda *_: stuck)
    with pytest.raises(InstrumentError, match=r"channels \[9, 11\] of the ArC TWO are not at 0 V; take its"):
        rig.driver.make_safe()


@pytest.mark.parametrize("where", ["_finish", "_next"])
@pytest.mark.parametrize("safe", [True, False])
def test_results_of_what_was_interrupted_are_not_taken_for_the_next_ones(rig, monkeypatch, where, safe):
    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(rig.driver, where, interrupted)
        with pytest.raises(KeyboardInterrupt):
            rig.at(0, 0).sweep([0.1, 0.2, 0.3])
        with pytest.raises(KeyboardInterrupt):
            assert not rig.driver.output_enabled
    if safe:
        rig.driver.make_safe()
    assert_allclose(rig.at(31, 31).read(0.2).current, 0.2 * rig.cells.siemens[31, 31], rtol=1e-2)


def test_an_instrument_that_does_not_end_is_not_waited_for(rig, monkeypatch):
    monkeypatch.setattr(DRIVER, "PATIENCE", 0.05)
    monkeypatch.setattr(type(rig.unit), "busy", lambda unit: True)
    with pytest.raises(InstrumentError, match=r"busy for more than 0.05 s: look at its USB cable"):
        rig.at(0, 0).read(0.2)


def test_a_result_that_is_missing_and_an_error_of_the_library_are_said(rig, monkeypatch):
    def gone(*_):
        raise TWIN.ArC2Error("FPGA Error: gone")

    with monkeypatch.context() as patch:
        patch.setattr(type(rig.unit), "pick_one", lambda unit, *_: unit._results.clear())
        with pytest.raises(InstrumentError, match="has no result of a reading"):
            rig.at(0, 0).sweep([0.1, 0.2, 0.3])
    assert rig.at(0, 0).read(0.2).current > 0.0
    monkeypatch.setattr(type(rig.unit), "execute", gone)
    with pytest.raises(InstrumentError, match="the ArC TWO failed: FPGA Error: gone"):
        rig.driver.read(0.2)


# --- the twin ---


def test_the_twin_does_nothing_before_it_is_executed_and_keeps_results_in_their_order(rig):
    unit, kinds = rig.unit, rig.library.ReadType
    unit.connect_to_gnd([]).config_channels([(WORDS[0], 0.5)], 0.0)
    unit.vread_channels_deferred([WORDS[0]], True)
    unit.config_channels([(WORDS[0], -0.5)], 0.0).vread_channels_deferred([WORDS[0]], True)
    assert not np.nan_to_num(rig.channels.volts).any()
    assert unit.pick_one(rig.library.DataMode.All, kinds.Voltage) is None
    unit.execute()
    found = [one[0] for one in unit.get_iter(rig.library.DataMode.Words, kinds.Voltage)]
    assert [one.shape for one in found] == [(32,)] * 2
    assert_allclose([one[0] for one in found], [0.5, -0.5], atol=1e-3)
    assert np.isnan(found[0][1:]).all()


def test_the_twin_reads_slices_as_pyarc2_does_with_currents_into_a_channel_positive(rig):
    unit, siemens = rig.unit, rig.cells.siemens
    row, column = WORDS[2], BITS[3]
    assert unit.read_one(column, row, 0.2) == pytest.approx(-0.2 * siemens[2, 3], rel=1e-2)
    slice_ = unit.read_slice_masked(column, [row, WORDS[4]], 0.2)
    words = sorted(WORDS)
    assert_allclose(slice_[[words.index(row), words.index(WORDS[4])]], -0.2 * siemens[[2, 4], 3], rtol=1e-2)
    assert np.isnan(slice_).sum() == 30
    whole = unit.read_all(0.1, rig.library.BiasOrder.Cols)
    assert whole[sorted(BITS).index(column), words.index(row)] == pytest.approx(
        -0.1 * siemens[2, 3], rel=1e-2
    )
    assert unit.pulseread_one(column, row, 1.0, 100, 0.2) == pytest.approx(-0.2 * siemens[2, 3], rel=1e-2)
    assert rig.cells.pulses[2, 3] == [(1.0, pytest.approx(1e-7), 1)]


def test_a_channel_at_ground_is_at_0_v_whatever_its_dac_and_an_open_one_floats(rig):
    rig.unit.connect_to_gnd([5]).config_channels([(5, 3.0), (6, 12.0)], None).open_channels([7]).execute()
    assert (rig.channels.volts[5], rig.channels.volts[6]) == (0.0, pytest.approx(10.0, abs=1e-3))
    assert np.isnan(rig.channels.volts[7])
    assert rig.unit.vread_channels([6, 5], False) == pytest.approx([0.0, 10.0], abs=1e-3)


@pytest.mark.parametrize(
    "act",
    [
        lambda unit: unit.config_selectors([1]),
        lambda unit: unit.connect_to_gnd([64]),
        lambda unit: unit.pulse_one(-1, 3, 1.0, 100),
    ],
)
def test_what_is_not_simulated_and_what_cannot_be_is_an_error_of_pyarc2s(rig, act):
    with pytest.raises(TWIN.ArC2Error):
        act(rig.unit)
    with pytest.raises(TWIN.ArC2Error, match="Invalid ArC2 device id: 4"):
        rig.library.Instrument(4, "")
    assert not hasattr(rig.library, "AuxDACFn")


def test_the_twin_makes_short_pulses_as_long_as_the_instrument_does(rig):
    rig.unit.ground_all().pulse_one(BITS[0], WORDS[0], 1.4, 10).execute()
    assert rig.cells.pulses[0, 0] == [(1.4, pytest.approx(40e-9), 1)]


def test_the_twin_takes_no_fractions_of_nanoseconds(rig):
    with pytest.raises(TypeError):
        rig.unit.delay(1.5)


def test_twin_and_driver_have_the_names_and_arguments_of_pyarc2():
    real = pytest.importorskip("pyarc2")
    members = inspect.getmembers(TWIN.SimulatedInstrument, inspect.isfunction)
    methods = {name: method for name, method in members if not name.startswith("_")}
    assert len(methods) > 25

    def arguments(function):
        return [(one.name, one.default) for one in inspect.signature(function).parameters.values()]

    for name, method in methods.items():
        assert arguments(method) == arguments(getattr(real.Instrument, name)), name
    own = arguments(TWIN.SimulatedInstrument.__init__)
    assert [own[0], *own[2:]] == arguments(real.Instrument.__init__)
    assert arguments(Twin.find_ids)[1:] == arguments(real.find_ids)
    for kind in (TWIN.ControlMode, TWIN.DataMode, TWIN.ReadType, TWIN.BiasOrder, TWIN.IdleMode):
        assert all(hasattr(getattr(real, kind.__name__), one.name) for one in kind)
    assert [one.value for one in real.IdleMode] == [one.value for one in TWIN.IdleMode]
    assert issubclass(real.ArC2Error, Exception)
    assert real.LIBARC2_VERSION


def test_without_an_instrument_pyarc2_itself_is_asked_and_the_bench_says_so():
    real = pytest.importorskip("pyarc2")
    if real.find_ids():
        pytest.skip("an ArC TWO is connected: leave it alone")
    with pytest.raises(InstrumentError, match="no ArC TWO is connected"):
        mho.open_bench(FILE)


# --- the bench ---


def test_a_cell_is_formed_set_and_reset_and_the_bench_is_left_safe():
    cell, width = Cell("multiply", 2, 3), 1e-4
    with open_rehearsal(load_bench_file(FILE), seed=1) as bench:
        assert bench.read(cell) < 1e-7
        bench.pulse(cell, Pulse("set", 4.0, width, 0.0))
        bench.pulse(cell, Pulse("reset", 3.0, width, 0.0))
        low = bench.read(cell)
        bench.pulse(cell, Pulse("set", 3.0, width, 0.0))
        assert bench.read(cell) > 20 * low
        bench.connect_multiply("multiply", range(32), [3])
        (current,) = bench.multiply(0.2 * np.eye(32)[[2]])[0]
        assert current == pytest.approx(0.2 * bench.read(cell), rel=0.2)
        with pytest.raises(LimitError, match=r"bit line: voltage of 4.7 V exceeds"):
            bench.pulse(cell, Pulse("set", 4.7, width, 0.0))
        lab = bench.laboratory
        channels = lab.libraries["ArC TWO"].channels
    assert (lab.live(), lab.incidents) == ((), [])
    assert channels.grounded.all()


@pytest.mark.parametrize(
    ("volts", "width", "least", "most"), [(1.6, 1e-3, 0.95, 1.05), (2.2, 1e-6, 0.0, 0.2)]
)
def test_half_of_a_pulse_leaves_a_neighbour_as_it_is_or_not(volts, width, least, most):
    cell, neighbour = Cell("multiply", 2, 3), Cell("multiply", 2, 4)
    with open_rehearsal(load_bench_file(FILE), seed=1) as bench:
        for one in (cell, neighbour):
            bench.pulse(one, Pulse("set", 3.9, 1e-3, 0.0))
        before = bench.read(neighbour)
        bench.pulse(cell, Pulse("reset", volts, width, 0.0), 3)
        assert bench.read(cell) < 1e-6
        assert least * before < bench.read(neighbour) < most * before


def test_an_error_on_the_way_leaves_all_lines_at_ground():
    def leave():
        with open_rehearsal(load_bench_file(FILE), seed=1) as bench:
            units.append(bench.laboratory.libraries["ArC TWO"].channels)
            bench.pulse(Cell("multiply", 0, 0), Pulse("set", 1.0, 1e-6, 0.0))
            units[0].driven[9], units[0].dacs[9] = True, 1.0
            raise RuntimeError("on the way")

    units: list = []
    with pytest.raises(RuntimeError, match="on the way"):
        leave()
    assert units[0].grounded.all()


def test_without_pyarc2_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarc2", None)
    with pytest.raises(BenchError, match=r"needs what is not there .*pyarc2.*: install it, or rehearse"):
        mho.open_bench(FILE)
