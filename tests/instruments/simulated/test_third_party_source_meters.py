"""PyMeasure's and QCoDeS's drivers of the source-measure units and DAQs, unchanged, with all that works on hardware.

Where a driver is broken itself, the test says so, and shows that the twin refuses what the instrument would.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pymeasure.instruments import keithley as pymeasure_keithley
from qcodes.dataset import LinSweep
from qcodes.instrument import Instrument
from qcodes.instrument_drivers.Keithley import Keithley2400, Keithley2450, Keithley2636B
from qcodes.instrument_drivers.Keysight import KeysightB2962A
from wired_twins import Resistor, registered

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.keithley2400 import SimulatedKeithley2400
from mho.instruments.simulated.keithley2450.instrument import SimulatedKeithley2450
from mho.instruments.simulated.keithley2636b.instrument import SimulatedKeithley2636B
from mho.instruments.simulated.keithleydaq6510 import SimulatedKeithleyDAQ6510
from mho.instruments.simulated.keysightb2912a import SimulatedKeysightB2912A

NAME = "third-party-source-meters"
SIEMENS = 1e-5
SMU, TSP, DAQ, PAIR, OLDER = (f"GPIB0::{number}::INSTR" for number in (18, 26, 6, 23, 24))


@pytest.fixture
def rack(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """A twin of each model with a resistor at its terminals; `errors` keeps the numbers that any of them queues."""
    clock, rng, load = VirtualClock(), np.random.default_rng(0), Resistor(SIEMENS)
    exact: dict[str, Any] = {"accuracy": 0.0, "noise": 0.0}
    devices = {
        SMU: SimulatedKeithley2450(clock, rng, load, **exact),
        OLDER: SimulatedKeithley2400(clock, rng, load, **exact),
        TSP: SimulatedKeithley2636B(clock, rng, {1: load, 2: Resistor(SIEMENS)}, **exact),
        PAIR: SimulatedKeysightB2912A(clock, rng, {1: load}, **exact),
        DAQ: SimulatedKeithleyDAQ6510(
            clock, rng, {101: lambda aperture: 0.25}, resistors={102: lambda aperture: 4.7e3}, **exact
        ),
    }
    errors: list[int] = []
    for device in devices.values():
        monkeypatch.setattr(device, "push_error", recording(device.push_error, errors))
    with registered(NAME, devices) as it:
        it.load, it.errors = load, errors
        yield it
        Instrument.close_all()


def recording(push: Callable[..., None], numbers: list[int]) -> Callable[..., None]:
    def pushing(code: int, detail: str = "") -> None:
        numbers.append(code)
        push(code, detail)

    return pushing


def refused(rack: SimpleNamespace, action: Callable[[], object]) -> list[int]:
    """Return the numbers of the errors that `action` makes the twins queue."""
    assert rack.errors == []
    action()
    numbers = list(rack.errors)
    rack.errors.clear()
    return numbers


def putting(thing: object, **values: Any) -> Callable[[], object]:
    return lambda: [setattr(thing, name, value) for name, value in values.items()]


def found(thing: object, values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: getattr(thing, name) for name in values}


def set_and_get(instrument: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    for name, value in values.items():
        getattr(instrument, name)(value)
    return {name: getattr(instrument, name)() for name in values}


# --- the 2400 with PyMeasure ---


@pytest.fixture
def older(rack: SimpleNamespace) -> Iterator[Any]:
    opened = pymeasure_keithley.Keithley2400(OLDER, visa_library=f"{NAME}@mho")
    yield opened
    opened.adapter.close()


def test_pymeasures_2400_finds_every_property_it_sets(rack, older):
    values = {
        "source_mode": "current", "source_current_range": 0.0105, "source_current": 2e-3, "compliance_voltage": 10.0,
        "source_voltage_range": 2.1, "source_voltage": 1.5, "compliance_current": 1e-2, "source_delay": 0.1,
        "voltage_range": 2.1, "current_nplc": 0.5, "resistance_range": 2100.0, "resistance_mode_auto_enabled": False,
        "repeat_filter_enabled": False, "filter_count": 20, "filter_enabled": True, "wires": 4,
        "auto_zero_enabled": False, "output_off_state": "guard", "auto_output_off_enabled": True, "trigger_delay": 0.5,
        "trigger_count": 20, "arm_count": 2, "arm_timer": 1.0, "arm_source": "timer", "trigger_source": "trigger_link",
        "trigger_output_event": "delay", "arm_output_event": "trigger_exit", "trigger_input_line": 2, "arm_input_line": 3,
        "trigger_output_line": 4, "arm_output_line": 1, "display_enabled": False, "line_frequency": 50,
        "front_terminals_enabled": False, "buffer_points": 500,
    }  # fmt: skip
    putting(older, **values)()
    assert found(older, values) == pytest.approx(values)
    assert (older.voltage_nplc, older.source_delay_auto_enabled, older.voltage_range_auto_enabled) == (
        0.5, False, False,
    )  # fmt: skip
    older.auto_zero_once()
    older.triad(400, 0.001)
    assert rack.errors == []


def test_pymeasures_2400_measures_all_at_once_and_each_by_itself(rack, older):
    older.compliance_current = 1e-3
    older.source_voltage = 0.5
    older.enable_source()
    found = older.measure_all()
    assert (found["voltage"], found["current"], found["resistance"]) == pytest.approx(
        (0.5, 5e-6, 1e5), rel=1e-3
    )
    assert (older.voltage, older.current) == pytest.approx((0.5, 5e-6), rel=1e-3)
    older.ramp_to_voltage(1.0, steps=3, pause=0)
    assert older.current == pytest.approx(1e-5, rel=1e-3)
    older.source_mode = "current"
    older.ramp_to_current(2e-5, steps=3, pause=0)
    older.enable_source()
    assert older.voltage == pytest.approx(2.0, rel=1e-3)
    older.resistance_mode_auto_enabled = True
    assert older.resistance == pytest.approx(1e5, rel=1e-3)
    assert rack.errors == []
    older.reset()
    older.shutdown()
    assert rack.load.volts == 0.0


def test_pymeasures_2400_fills_a_buffer_at_the_triggers_of_a_bus(rack, older):
    older.source_voltage = 0.5
    older.enable_source()
    older.config_buffer(4, delay=0.01)
    older.start_buffer()
    older.wait_for_buffer(timeout=5, interval=0)
    volts, amperes, _, times, _ = older.buffer_data.reshape(4, 5).T
    assert volts == pytest.approx([0.5] * 4)
    assert amperes == pytest.approx([5e-6] * 4, rel=1e-3)
    assert np.all(np.diff(times) > 0.01)
    assert (older.mean_current, older.max_current, older.min_current) == pytest.approx((5e-6,) * 3, rel=1e-3)
    assert older.std_current == pytest.approx(0.0, abs=1e-12)
    older.trigger_on_bus()
    older.reset_buffer()
    older.start_buffer()
    assert not older.is_buffer_full()
    older.trigger()
    assert float(older.ask(":TRAC:POIN:ACT?")) == 4
    older.reset_trigger()
    older.sample_continuously()
    assert rack.errors == []


def test_what_a_2400_refuses_of_pymeasure_is_refused(rack, older):
    # Ranges beyond the compliance, and of what is sourced itself; no reading without output; nothing to trigger.
    assert refused(rack, putting(older, current_range=0.5)) == [824]
    assert refused(rack, putting(older, voltage_range=2.1)) == [823]
    assert refused(rack, older.trigger) == [-211]
    assert refused(rack, lambda: older.write(":READ?")) == [803]


# --- the 2400 with QCoDeS ---


def test_qcodes_sources_and_measures_with_the_2400(rack):
    smu = Keithley2400("older", OLDER, visalib=f"{NAME}@mho")
    smu.mode("VOLT")
    assert set_and_get(smu, {"compliancei": 1e-3, "nplci": 0.5, "nplcv": 0.1}) == {
        "compliancei": 1e-3, "nplci": 0.1, "nplcv": 0.1,
    }  # fmt: skip
    smu.rangev(2.0)
    smu.volt(0.5)
    with pytest.raises(RuntimeError, match="output off"):
        smu.curr()
    smu.output(True)
    assert (smu.volt(), smu.curr(), smu.resistance()) == pytest.approx((0.5, 5e-6, 1e5), rel=1e-3)
    smu.mode("CURR")
    assert smu.sense() == '"VOLT:DC","CURR:DC"'
    smu.output(True)
    smu.curr(1e-5)
    assert smu.volt() == pytest.approx(1.0, rel=1e-3)
    assert rack.errors == []
    # A common command has no leading colon (IEEE 488.2, 7.6.1.2).
    assert refused(rack, smu.reset) == [-102]


# --- the 2450 with PyMeasure ---


@pytest.fixture
def smu(rack: SimpleNamespace) -> Iterator[Any]:
    opened = pymeasure_keithley.Keithley2450(SMU, visa_library=f"{NAME}@mho")
    yield opened
    opened.adapter.close()


def test_pymeasures_2450_finds_every_property_it_sets(rack, smu):
    values = {
        "source_current_range": 1e-3, "source_current": 2e-5, "source_current_delay": 1e-3, "compliance_voltage": 10.0,
        "source_voltage_range": 2.0, "source_voltage": 0.5, "source_voltage_delay": 2e-3, "compliance_current": 1e-4,
        "current_range": 1e-3, "current_nplc": 0.5, "voltage_range": 20.0, "voltage_nplc": 0.1,
        "resistance_range": 2e5, "resistance_nplc": 2.0, "wires": 4, "buffer_points": 500,
        "current_filter_type": "MOV", "current_filter_count": 7, "voltage_filter_type": "REP", "voltage_filter_count": 3,
        "current_output_off_state": "HIMP", "voltage_output_off_state": "ZERO",
    }  # fmt: skip
    putting(smu, **values)()
    assert found(smu, values) == pytest.approx(values)
    assert (smu.source_current_delay_auto, smu.source_voltage_delay_auto) == (False, False)
    putting(smu, source_current_delay_auto=True, source_voltage_delay_auto=True, current_filter_state="ON")()
    assert (smu.source_current_delay_auto, smu.current_filter_state) == (True, 1.0)
    assert rack.errors == []


def test_pymeasures_2450_sources_current_and_measures_volts_and_ohms(rack, smu):
    smu.apply_current(current_range=1e-4, compliance_voltage=5)
    smu.measure_voltage(nplc=0.1, voltage=5, auto_range=False)
    smu.source_current = 1e-5
    smu.enable_source()
    assert smu.source_enabled is True
    assert smu.voltage == pytest.approx(1.0, rel=1e-3)
    smu.ramp_to_current(2e-5, steps=3, pause=0)
    assert smu.voltage == pytest.approx(2.0, rel=1e-3)
    assert smu.means == pytest.approx(1.5, rel=1e-3)
    assert (smu.maximums, smu.minimums) == pytest.approx((2.0, 1.0), rel=1e-3)
    assert smu.standard_devs == pytest.approx(math.sqrt(0.5), rel=1e-3)
    smu.measure_resistance(nplc=0.1)
    assert smu.resistance == pytest.approx(1 / SIEMENS, rel=1e-3)
    smu.auto_range_source()
    smu.use_rear_terminals()
    assert smu.source_enabled is False
    smu.use_front_terminals()
    smu.triad(400, 0.001)
    smu.stop_buffer()
    assert rack.errors == []
    smu.source_current = 0.0
    smu.shutdown()
    assert rack.load.volts == 0.0


def test_what_a_2450_refuses_of_pymeasure_is_refused(rack, smu):
    # Written for the 2400: buffers, filters by name, triggers of a bus that nothing waits for.
    assert set(refused(rack, lambda: smu.config_buffer(10, 0))) == {-113}
    assert refused(rack, smu.disable_buffer) == [-113]
    assert refused(rack, smu.trigger) == [-211]
    # It resets with `:*CLS`, which IEEE 488.2, 7.6.1.2, does not know, and the 2450 takes.
    assert refused(rack, smu.reset) == []
    assert smu.next_error[0] == 0
    # Its limits truncate in silence, and some are not the instrument's.
    assert refused(rack, putting(smu, buffer_points=1)) == [-222]
    assert refused(rack, putting(smu, current_range=0.0)) == [-222]
    assert refused(rack, putting(smu, resistance_range=0.0)) == [-222]
    assert refused(rack, lambda: smu.beep(2e6, 0.1)) == [-222]
    # It expects a 2400's list of volts, amperes and ohms where the 2450 has one number.
    smu.measure_current()
    assert isinstance(smu.current, float)
    with pytest.raises(TypeError):
        assert smu.mean_voltage


# --- the 2450 with QCoDeS ---


@pytest.fixture
def meter(rack: SimpleNamespace) -> Any:
    return Keithley2450("meter", SMU, visalib=f"{NAME}@mho")


def test_qcodes_finds_every_parameter_it_sets_on_the_2450(rack, meter):
    for source in ("voltage", "current"):
        meter.source_function(source)
        sourced = {
            source: {"voltage": 0.5, "current": 1e-5}[source], "auto_range": True,
            "range": {"voltage": 2.0, "current": 1e-4}[source],
            "limit": {"voltage": 1e-4, "current": 5.0}[source],
            "auto_delay": True, "read_back_enabled": False,
        }  # fmt: skip
        got = set_and_get(meter.source, sourced)
        assert got == pytest.approx({**sourced, "auto_range": False})  # a range ends it, as on the instrument
        meter.source.delay(1e-3)
        assert float(meter.source.delay()) == 1e-3
        assert meter.source.limit_tripped() is False
        meter.source.user_number(3)
        meter.source.user_delay(0.5)
        assert meter.source.user_delay() == 0.5
    for sense, span in (("current", 1e-4), ("voltage", 2.0), ("resistance", 2e4)):
        meter.sense_function(sense)
        values = {
            "range": span,
            "auto_range": False,
            "four_wire_measurement": True,
            "auto_zero_enabled": False,
        }
        assert set_and_get(meter.sense, values) == pytest.approx(values)
        meter.sense.nplc(0.1)
        meter.sense.user_number(1)
        meter.sense.user_delay(0.25)
        meter.sense.count(2)
        assert (float(meter.sense.nplc()), meter.sense.user_delay(), int(meter.sense.count())) == (
            0.1,
            0.25,
            2,
        )
    meter.sense.auto_zero_once()
    meter.terminals("rear")
    assert meter.terminals() == "REAR"
    assert meter.line_frequency() == "60"
    meter.snapshot(update=True)
    meter.clear_event_register()
    meter.clear_event_log()
    meter.wait()
    meter.abort()
    meter.reset()
    assert rack.errors == []


def test_qcodes_measures_volts_amperes_and_ohms_with_the_2450(rack, meter):
    meter.sense_function("voltage")
    meter.source_function("current")
    meter.source.limit(5.0)
    meter.source.block_during_ramp(True)
    meter.source.current(1e-5)
    meter.output_enabled(True)
    assert meter.sense.voltage() == pytest.approx(1.0, rel=1e-3)
    assert meter.source.limit_tripped() is False
    meter.source.current(1e-3)
    assert meter.sense.voltage() == pytest.approx(5.0, rel=1e-3)
    assert meter.source.limit_tripped() is True
    meter.source.current(1e-5)
    meter.sense_function("resistance")
    assert meter.sense.resistance() == pytest.approx(1 / SIEMENS, rel=1e-3)
    meter.sense_function("current")
    meter.source_function("voltage")
    meter.source.voltage(0.3)
    meter.output_enabled(True)
    assert meter.sense.current() == pytest.approx(0.3 * SIEMENS, rel=1e-3)
    assert rack.errors == []
    assert refused(rack, lambda: meter.source.limit(5.0)) == [-222]
    assert refused(rack, lambda: meter.initiate()) == [-213]


def test_qcodes_sweeps_into_a_buffer_of_its_own(rack, meter):
    meter.sense_function("voltage")
    meter.source_function("current")
    with meter.buffer("mine", 100) as buffer:
        buffer.elements(["time", "date", "measurement", "source_value_formatted"])
        meter.source.sweep_setup(0, 1e-5, 11, buffer_name=buffer.buffer_name)
        assert meter.sense.sweep() == pytest.approx(np.linspace(0, 1.0, 11), rel=1e-3)
        selected = meter.sense.sweep.get_selected()
        assert len(selected) == 4 * 11
        assert selected[1] == "01/01/2025"
        assert selected[-1] == "+010.0000 uA"
        assert (buffer.size(), buffer.number_of_readings()) == (100, 0)
        meter.output_enabled(True)
        buffer.trigger_start()
        buffer.elements(["measurement", "measurement_unit"])
        assert buffer.get_last_reading().split(",")[1] == "Volt DC"
        buffer.size(50)
        assert buffer.size() == 50
    assert meter.buffer_name() == "defbuffer1"
    assert rack.errors == []
    with pytest.raises(Exception, match="TMO"):
        meter.ask(":TRAC:ACT? 'mine'")
    assert rack.errors[0] == -224


# --- the 2636B with PyMeasure ---


@pytest.fixture
def pair(rack: SimpleNamespace) -> Iterator[Any]:
    with pytest.warns(FutureWarning, match="not known whether this device support SCPI"):
        opened = pymeasure_keithley.Keithley2600(TSP, visa_library=f"{NAME}@mho")
    yield opened
    opened.adapter.close()


def test_pymeasures_2600_finds_every_property_it_sets(rack, pair):
    values = {
        "source_mode": "voltage", "measure_nplc": 0.1, "source_current_range": 1e-3, "source_current": 2e-4,
        "compliance_voltage": 10.0, "source_voltage_range": 2.0, "source_voltage": 0.5, "compliance_current": 1e-3,
        "current_range": 1e-3, "voltage_range": 2.0, "wires_mode": "4",
    }  # fmt: skip
    # It takes the values of `measure_nplc` for choices, and so has no way to set one.
    with pytest.raises(ValueError, match="is not in list"):
        pair.ChA.measure_nplc = values.pop("measure_nplc")
    putting(pair.ChA, **values)()
    assert found(pair.ChA, values) == pytest.approx(values)
    assert rack.errors == []


def test_pymeasures_2600_sources_currents_and_measures_volts(rack, pair):
    channel = pair.ChA
    channel.apply_current(current_range=1e-4, compliance_voltage=5)
    channel.measure_voltage(nplc=0.1)
    channel.source_current = 1e-5
    channel.source_output = "ON"
    assert channel.voltage == pytest.approx(1.0, rel=1e-3)
    assert channel.resistance == pytest.approx(1 / SIEMENS, rel=1e-3)
    channel.ramp_to_current(2e-5, steps=2, pause=0)
    assert channel.voltage == pytest.approx(2.0, rel=1e-3)
    channel.auto_range_source()
    channel.source_current = 0.0
    channel.source_output = "OFF"
    channel.apply_voltage(compliance_current=1e-3)
    channel.ramp_to_voltage(0.5, steps=2, pause=0)
    channel.measure_current(nplc=0.1, current=1e-3, auto_range=False)
    channel.source_output = "ON"
    assert channel.current == pytest.approx(5e-6, rel=1e-3)
    assert rack.errors == []
    assert pair.next_error[0] in (0, "0")
    channel.source_output = "OFF"
    # A current smaller than a microampere goes out as 0.000000; as a limit that is too small.
    assert refused(rack, putting(channel, compliance_current=1e-7)) == [1102]


# --- the 2636B with QCoDeS ---


@pytest.fixture
def keith(rack: SimpleNamespace) -> Any:
    return Keithley2636B("keith", TSP, visalib=f"{NAME}@mho")


def test_qcodes_finds_every_parameter_it_sets_on_the_2636b(rack, keith):
    values = {
        "mode": "voltage", "output": True, "nplc": 0.1, "four_wire_measurement": True, "sourcerange_v": 2.0,
        "measurerange_v": 2.0, "sourcerange_i": 1e-3, "measurerange_i": 1e-3, "limitv": 10.0, "limiti": 1e-3,
        "source_autorange_v_enabled": False, "measure_autorange_v_enabled": False,
        "source_autorange_i_enabled": False, "measure_autorange_i_enabled": False,
    }  # fmt: skip
    assert set_and_get(keith.smua, values) == pytest.approx(values)
    automatic = {name: True for name in values if "autorange" in name}
    assert set_and_get(keith.smua, automatic) == automatic
    assert keith.smua.linefreq() == 60.0
    keith.display_settext("forming")
    keith.display_clear()
    keith.display_normal()
    keith.exit_key()
    keith.snapshot(update=True)
    keith.smub.reset()
    keith.reset()
    assert rack.errors == []


def test_qcodes_measures_sweeps_and_traces_with_the_2636b(rack, keith):
    smu = keith.smua
    smu.nplc(0.1)
    smu.limiti(1e-3)
    smu.setup_fastsweep(LinSweep(smu.volt, 0, 0.5, 6))
    assert smu.fastsweep() == pytest.approx(np.linspace(0, 0.5, 6) * SIEMENS, rel=1e-3, abs=1e-12)
    smu.timetrace_npts(8)
    smu.timetrace_dt(0.01)
    smu.timetrace_mode("current")
    smu.volt(0.2)
    assert smu.timetrace() == pytest.approx([2e-6] * 8, rel=1e-3)
    assert smu.time_axis() == pytest.approx(np.arange(8) * 0.01)
    smu.limiti(1e-6)
    assert smu.curr() == pytest.approx(1e-6, rel=1e-3)
    assert "current compliance" in smu.curr.measurement_status
    smu.output(False)
    smu.mode("current")
    smu.limitv(5.0)
    smu.curr(1e-5)
    smu.output(True)
    assert smu.volt() == pytest.approx(1.0, rel=1e-3)
    assert smu.res() == pytest.approx(1 / SIEMENS, rel=1e-3)
    smu.setup_fastsweep(LinSweep(smu.curr, 0, 1e-5, 3), mode="VI")
    assert smu.fastsweep() == pytest.approx([0, 0.5, 1.0], rel=1e-3, abs=1e-6)
    smu.curr(1e-3)
    assert smu.volt() == pytest.approx(5.0, rel=1e-3)
    assert "voltage compliance" in smu.volt.measurement_status
    assert rack.errors == []


# --- the DAQ6510 with PyMeasure ---


@pytest.fixture
def daq(rack: SimpleNamespace) -> Iterator[Any]:
    opened = pymeasure_keithley.KeithleyDAQ6510(DAQ, visa_library=f"{NAME}@mho")
    yield opened
    opened.adapter.close()


def test_pymeasures_daq6510_measures_and_switches(rack, daq):
    daq.measure_voltage(nplc=0.1, voltage=1.0, auto_range=False)
    daq.close_channel(101)
    assert rack.devices[DAQ].closed == {101}
    values = {"voltage_range": 1.0, "voltage_nplc": 0.1, "resistance_range": 1e4, "resistance_nplc": 1.0}
    putting(daq, **values)()
    assert found(daq, values) == pytest.approx(values)
    assert isinstance(daq.voltage, float)
    daq.open_channels([101])
    daq.beep(440, 0.1)
    assert rack.devices[DAQ].closed == set()
    # What the instrument answers is none of the values that the driver knows.
    with pytest.raises(KeyError):
        assert daq.sense_mode
    assert rack.errors == []


# --- the B2912A: neither library has its driver; QCoDeS's of a sister model tells ---


def test_qcodes_b2962a_asks_a_b2912a_for_what_both_have(rack):
    power = KeysightB2962A("power", PAIR, visalib=f"{NAME}@mho")
    assert power.get_idn()["model"] == "B2912A"
    power.ch1.source_voltage(0.4)
    assert power.ch1.source_voltage() == 0.4
    values = {"source_mode": "voltage", "source_voltage": 0.4, "current_limit": 1e-3, "voltage_limit": 5.0,
              "source_current": 1e-5, "remote_sensing": True, "enable": True}  # fmt: skip
    assert set_and_get(power.ch1, values) == pytest.approx(values)
    assert rack.load.volts == pytest.approx(0.4)
    assert power.ch1.voltage() == pytest.approx(0.4)
    assert power.ch1.current() == pytest.approx(0.4 * SIEMENS)
    assert power.ch1.resistance() == pytest.approx(1 / SIEMENS)
    power.ch1.source_mode("current")
    power.ch1.enable(True)
    assert power.ch1.voltage() == pytest.approx(1.0, rel=1e-3)
    assert rack.errors == []
    assert refused(rack, lambda: power.ch1.source_current(4.0)) == [-222]
