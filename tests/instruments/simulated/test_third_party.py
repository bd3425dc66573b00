"""Other people's drivers, unchanged, on the virtual bench; what an instrument refuses of them is refused here, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import pyvisa
import qcodes.instrument_drivers.Keithley as qcodes_keithley  # noqa: N813
from pymeasure.instruments.agilent import Agilent33500
from pymeasure.instruments.keithley import Keithley2450, Keithley2600
from qcodes.instrument import Instrument

from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.laboratory.laboratory import Laboratory
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.excursions import Excursion
from mho.instruments.simulated.keithley2636b.instrument import SimulatedKeithley2636B
from mho.instruments.simulated.visa.backend import register_rack, unregister_rack

NAME = "third-party"
SIEMENS = 1e-5
TSP = "GPIB0::26::INSTR"


class Resistor:
    """A `SourcePort` with a resistor to ground."""

    def drive(self, volts: float, *, connected: bool) -> None:
        self.volts = volts if connected else None

    def current(self, volts: float, aperture: float) -> float:
        return volts * SIEMENS


@pytest.fixture
def lab() -> Iterator[Laboratory]:
    laboratory = Laboratory(load_bench_file("simulated"), preset="ideal", seed=1)
    register_rack(NAME, laboratory)
    yield laboratory
    unregister_rack(NAME)


@pytest.fixture
def others() -> Iterator[SimpleNamespace]:
    """Instruments that the simulated bench does not have."""
    clock, rng = VirtualClock(), np.random.default_rng(0)
    load = Resistor()
    devices = {
        TSP: SimulatedKeithley2636B(clock, rng, {1: load}),
    }
    rack = SimpleNamespace(clock=clock, devices=devices, faults=[], load=load)
    register_rack(NAME, rack)
    yield rack
    unregister_rack(NAME)


def address(lab: Laboratory, role: str) -> str:
    resource: str = getattr(lab_bench(), role).address
    assert resource in lab.devices
    return resource


def lab_bench() -> Any:
    return load_bench_file("simulated").bench.instruments


class Errors:
    """The numbers of the errors that a twin queues, whoever takes them out again."""

    def __init__(self, device: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self._numbers: list[int] = []
        push = device.push_error

        def pushing(code: int, detail: str = "") -> None:
            self._numbers.append(code)
            push(code, detail)

        monkeypatch.setattr(device, "push_error", pushing)

    def of(self, action: Callable[[], object]) -> list[int]:
        self._numbers.clear()
        action()
        return list(self._numbers)


def putting(thing: object, **values: Any) -> Callable[[], object]:
    def put() -> None:
        for name, value in values.items():
            setattr(thing, name, value)

    return put


# --- PyMeasure ---


def with_doubts(driver: Any, resource: str) -> Any:
    """Open a driver of which PyMeasure asks its users whether the model speaks SCPI."""
    with pytest.warns(FutureWarning, match="not known whether this device support SCPI"):
        return driver(resource, visa_library=f"{NAME}@mho")


@pytest.fixture
def smu(lab) -> Iterator[Keithley2450]:
    opened = Keithley2450(address(lab, "smu"), visa_library=f"{NAME}@mho")
    yield opened
    opened.adapter.close()


@pytest.fixture
def pulser(lab) -> Iterator[Agilent33500]:
    opened = Agilent33500(address(lab, "pulser"), visa_library=f"{NAME}@mho")
    yield opened
    opened.adapter.close()


@pytest.mark.thorough
def test_pymeasure_forms_and_reads_a_cell(lab, smu, pulser):
    gate = Keithley2450(address(lab, "gate"), visa_library=f"{NAME}@mho")
    board = pyvisa.ResourceManager(f"{NAME}@mho").open_resource(
        address(lab, "board"), read_termination="\n", write_termination="\n"
    )
    for meter in (smu, gate):
        meter.apply_voltage(voltage_range=20, compliance_current=1e-4)
        meter.measure_current(nplc=0.1, current=1e-4, auto_range=False)
        meter.enable_source()
    pulser.output_load = "INF"
    pulser.shape, pulser.burst_mode, pulser.burst_ncycles = "PULS", "TRIG", 1
    pulser.voltage_high, pulser.voltage_low = 4.0, 0.0
    pulser.pulse_period, pulser.pulse_width, pulser.pulse_transition = 1e-4, 1e-6, 1e-8
    pulser.burst_state, pulser.trigger_source, pulser.output = True, "BUS", True
    assert board.query(':MODE PROG;:ROUT:CELL "multiply",2,3;:ROUT:PATH SET;:SYST:ERR?').startswith("0,")
    gate.source_voltage = 1.6
    pulser.trigger()
    pulser.wait_for_trigger()
    assert board.query(":ROUT:PATH OPEN;:ROUT:PATH READ;:SYST:ERR?").startswith("0,")
    gate.source_voltage, smu.source_voltage = 2.5, 0.2
    conductance = float(lab.chip.cells["multiply"].conductance((2, 3)))
    assert conductance > 5e-6
    assert smu.current == pytest.approx(0.2 * conductance, rel=1e-2)
    smu.source_voltage = 0.0
    for meter in (smu, gate):
        meter.shutdown()
    assert lab.incidents == []
    bit = lab.monitor.extremes()["bit line"]
    assert (bit.highest, bit.pulses, bit.longest_pulse) == (pytest.approx(4.0), 1, 1e-6)
    assert not lab.devices[address(lab, "smu")].output_on


def test_pymeasures_2450_finds_what_it_sets(lab, smu, monkeypatch):
    errors = Errors(lab.devices[address(lab, "smu")], monkeypatch)
    assert "MODEL 2450" in smu.id
    values = {
        "source_mode": "voltage",
        "source_voltage_range": 2.0,
        "source_voltage": 0.25,
        "current_range": 1e-4,
        "compliance_current": 5e-5,
        "current_nplc": 0.5,
        "source_voltage_delay": 2e-3,
        "voltage_output_off_state": "HIMP",
    }
    assert errors.of(putting(smu, **values)) == []
    assert {name: getattr(smu, name) for name in values} == pytest.approx(values)
    assert smu.source_voltage_delay_auto is False
    smu.enable_source()
    assert smu.source_enabled is True
    smu.ramp_to_voltage(0.5, steps=5, pause=0)
    assert smu.source_voltage == 0.5
    assert smu.check_errors() == []


def test_what_a_2450_refuses_of_pymeasure_is_refused(lab, smu, monkeypatch):
    errors = Errors(lab.devices[address(lab, "smu")], monkeypatch)
    # Commands of the 2400, which this model does not have.
    assert set(errors.of(lambda: smu.config_buffer(10, 0))) == {-113}
    # It resets with `:*CLS`, which IEEE 488.2, 7.6.1.2, does not know, and the 2450 takes.
    assert errors.of(smu.reset) == []
    # The driver truncates 5 A to 1.05 A in silence; the range in use does not hold that.
    smu.current_range = 1e-4
    assert errors.of(putting(smu, compliance_current=5.0)) == [-221]
    assert smu.compliance_current <= 1.06e-4
    assert errors.of(putting(smu, source_voltage=500.0)) == [-222]
    assert smu.source_voltage == 0.0


@pytest.mark.thorough
def test_pymeasures_2600_measures_on_real_lua(others, monkeypatch):
    errors = Errors(others.devices[TSP], monkeypatch)
    meter = with_doubts(Keithley2600, TSP)
    channel = meter.ChA

    def measure() -> None:
        channel.apply_voltage(voltage_range=2, compliance_current=1e-2)
        channel.source_voltage = 0.5
        channel.source_output = "ON"
        channel.measure_current(nplc=0.1, current=1e-4)

    assert "2636B" in meter.id
    assert errors.of(measure) == []
    assert channel.source_voltage == 0.5
    assert channel.current == pytest.approx(0.5 * SIEMENS, rel=1e-3)
    assert channel.resistance == pytest.approx(1 / SIEMENS, rel=1e-3)
    assert errors.of(channel.shutdown) == []
    assert others.devices[TSP].units["smua"].source.on is False
    meter.adapter.close()


def test_a_current_that_pymeasures_2600_rounds_to_zero_is_refused_and_the_old_limit_stays(
    others, monkeypatch
):
    errors = Errors(others.devices[TSP], monkeypatch)
    meter = with_doubts(Keithley2600, TSP)
    channel = meter.ChA
    channel.compliance_current = 1e-3
    assert errors.of(putting(channel, compliance_current=1e-7)) == [1102]  # goes out as 0.000000
    assert channel.compliance_current == 1e-3
    meter.adapter.close()


# --- QCoDeS ---


@pytest.fixture
def qcodes() -> Iterator[Any]:
    yield qcodes_keithley
    Instrument.close_all()


def set_and_get(instrument: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    for name, value in values.items():
        getattr(instrument, name)(value)
    return {name: getattr(instrument, name)() for name in values}


def test_qcodes_reads_a_cells_current_with_its_2450(lab, qcodes, monkeypatch):
    smu, gate = (
        qcodes.Keithley2450(role, address(lab, role), visalib=f"{NAME}@mho") for role in ("smu", "gate")
    )
    errors = Errors(lab.devices[address(lab, "smu")], monkeypatch)
    form(lab)
    assert smu.get_idn()["model"] == "2450"

    def configure() -> None:
        for meter in (smu, gate):
            meter.source_function("voltage")
            meter.sense_function("current")
            assert set_and_get(meter.source, {"range": 2.0, "limit": 1e-4, "delay": 1e-3, "auto_range": True})
            meter.sense.nplc(0.1)
            values = {"range": 1e-4, "four_wire_measurement": False, "auto_zero_enabled": True}
            assert set_and_get(meter.sense, values) == values
            meter.output_enabled(True)

    assert errors.of(configure) == []
    gate.source.voltage(2.5)
    assert gate.source.voltage() == 2.5
    smu.source.sweep_setup(0.05, 0.2, 4)
    currents = smu.sense.sweep()
    conductance = float(lab.chip.cells["multiply"].conductance((2, 3)))
    assert currents == pytest.approx(np.linspace(0.05, 0.2, 4) * conductance, rel=1e-2)
    assert smu.source.limit_tripped() is False
    assert errors.of(lambda: smu.source.limit(5.0)) == [-222]
    assert smu.source.limit() == pytest.approx(1e-4)
    gate.output_enabled(False)


def form(lab: Laboratory) -> None:
    """Form and SET cell [2, 3], and leave its READ path closed."""
    lab.board.write(b':MODE PROG;:ROUT:CELL "multiply",2,3;:ROUT:PATH SET\n')
    lab.lines.drive("word line", 1.6, True)
    lab.lines.train("bit line", [Excursion(4.0, 1e-6)], 1)
    lab.lines.drive("word line", 0.0, True)
    lab.board.write(b":ROUT:PATH OPEN;:ROUT:PATH READ\n")
