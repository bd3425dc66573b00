"""A rack without a chip: any model by its address on a load, for tests of other people's drivers."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack, contextmanager

import pytest
import pyvisa

from mho.errors import BenchError
from mho.instruments import simulated
from mho.instruments.simulated import Diode, Fault, Load, Open, Resistor, VirtualClock
from mho.instruments.simulated.keithley2450 import SimulatedKeithley2450
from mho.instruments.simulated.racks import MODELS
from mho.instruments.simulated.visa.backend import rack_names

SMU, PAIR, GENERATOR, DAQ = (f"GPIB0::{number}::INSTR" for number in (24, 26, 10, 6))


def opened(rack, address: str = SMU):
    manager = pyvisa.ResourceManager(rack.visa_library)
    return manager.open_resource(address, read_termination="\n", write_termination="\n")


def measured(connection, volts: float = 1.0) -> float:
    connection.write(f":SOUR:VOLT {volts};:OUTP ON")
    return float(connection.query(":MEAS:CURR?"))


def test_every_model_answers_at_its_address():
    models = {f"GPIB0::{number}::INSTR": model for number, model in enumerate(MODELS, 1)}
    with simulated.rack(models) as rack:
        manager = pyvisa.ResourceManager(rack.visa_library)
        assert set(manager.list_resources()) == set(models)
        for address, model in models.items():
            identity = manager.open_resource(address).query("*IDN?").upper().replace("MODEL", "")
            digits = "".join(filter(str.isdigit, model))
            assert digits[:3] in identity, (model, identity)


@pytest.mark.parametrize(
    ("load", "amperes"),
    [
        (Resistor(1e4), 1e-4), (None, 0.0), (lambda volts: 3e-5 * volts, 3e-5), ({1: Resistor(2e4)}, 5e-5),
        ({SMU: Resistor(5e4)}, 2e-5), ({SMU: {1: Resistor(4e4)}}, 2.5e-5), (Diode(1e-9, 2.0, 1e4), None),
    ],
)  # fmt: skip
def test_a_load_is_given_for_all_or_by_channel_or_by_address(load, amperes):
    with simulated.rack({SMU: "keithley2450"}, load, exact=True) as rack:
        wanted = load.current(1.0, 1.0) if amperes is None else amperes
        assert measured(opened(rack)) == pytest.approx(wanted, abs=1e-10)


def test_two_channels_have_loads_of_their_own_and_a_law_may_look_at_another():
    gate = Open()
    transistor = Load(lambda volts: 1e-3 * max((gate.volts or 0.0) - 0.5, 0.0) * volts)
    with simulated.rack({PAIR: "keithley2636b"}, {1: transistor, 2: gate}, exact=True) as rack:
        smu = opened(rack, PAIR)
        smu.write("smub.source.levelv = 1.5 smub.source.output = 1")
        smu.write("smua.source.levelv = 0.1 smua.source.output = 1")
        assert float(smu.query("print(smua.measure.i())")) == pytest.approx(1e-4)
        assert (gate.volts, transistor.volts) == (1.5, 0.1)
        assert rack.loads == {PAIR: {1: transistor, 2: gate}}


def test_a_channel_without_a_load_is_open_and_slots_are_those_that_are_named():
    with simulated.rack({PAIR: "keithley2636b", SMU: "agilentb1500"}, {2: Resistor(1e3)}) as rack:
        assert list(rack.loads[PAIR]) == [1, 2]
        assert isinstance(rack.loads[PAIR][1], Open)
        assert list(rack.loads[SMU]) == [2]


def test_a_generator_leaves_what_it_put_out():
    load = Open()
    with simulated.rack({GENERATOR: "keysight33522b"}, {1: load}) as rack:
        generator = opened(rack, GENERATOR)
        generator.write(":SOUR1:FUNC PULS;:SOUR1:FUNC:PULS:PER 1e-3;:SOUR1:FUNC:PULS:WIDT 1e-5")
        generator.write(":OUTP1:LOAD INF;:SOUR1:VOLT:LOW 0;:SOUR1:VOLT:HIGH 2")
        generator.write(
            ":SOUR1:BURS:NCYC 7;:SOUR1:BURS:MODE TRIG;:TRIG1:SOUR BUS;:SOUR1:BURS:STAT ON;:OUTP1 ON"
        )
        rack.clock.advance(1.0)
        assert load.pulse_count == 0
        generator.write("*TRG")
        assert [tuple(one) for one in load.pulses] == [(pytest.approx(2.0), pytest.approx(1e-5), 7)]
        generator.write(":SOUR1:BURS:STAT OFF")
        assert load.waveform.extreme == pytest.approx(2.0)
        rack.clock.advance(1.0)
        assert load.pulse_count == pytest.approx(1007, abs=1)
        assert load.peak == pytest.approx(2.0)
        generator.write(":OUTP1 OFF")
        assert load.waveform is None


def test_a_load_at_two_terminals_records_each_once():
    load = Open()
    with simulated.rack({GENERATOR: "keysight33522b"}, load) as rack:
        opened(rack, GENERATOR).write(
            ":SOUR2:FUNC PULS;:SOUR2:FUNC:PULS:PER 1e-3;:SOUR2:VOLT:LOW 0;:OUTP2 ON"
        )
        rack.clock.advance(1.0)
        assert load.pulse_count == pytest.approx(1000, abs=1)


def test_a_daq_reads_what_its_channels_are_wired_to():
    wired = {101: 0.25, 102: Resistor(4.7e3), 121: 1e-3, 103: lambda aperture: -1.5}
    with simulated.rack({DAQ: "keithleydaq6510"}, wired, exact=True) as rack:
        daq = opened(rack, DAQ)
        for channel, function, value in ((101, "VOLT", 0.25), (103, "VOLT", -1.5), (102, "RES", 4.7e3)):
            daq.write(f':SENS:FUNC "{function}",(@{channel});:ROUT:OPEN:ALL;:ROUT:CLOS (@{channel})')
            assert float(daq.query(":READ?")) == pytest.approx(value, rel=1e-6)


def test_exact_instruments_have_neither_error_nor_noise_and_others_that_of_the_seed():
    def current(**options) -> float:
        with simulated.rack({SMU: "keithley2450"}, Resistor(1e4), **options) as rack:
            return measured(opened(rack))

    assert current(exact=True) == pytest.approx(1e-4, abs=1e-15)
    assert current() != 1e-4
    assert current(seed=3) == current(seed=3) != current(seed=4)


def test_a_class_of_ones_own_takes_its_place():
    class Cheap(SimulatedKeithley2450):
        identity = "NOBODY,CHEAP,{serial},1"

    with simulated.rack({SMU: Cheap}, Resistor(1e4), exact=True) as rack:
        smu = opened(rack)
        assert smu.query("*IDN?") == "NOBODY,CHEAP,SIM00001,1"
        assert measured(smu) == pytest.approx(1e-4)


def test_faults_strike_and_messages_are_counted():
    with simulated.rack({SMU: "keithley2450"}) as rack:
        smu = opened(rack)
        rack.faults.append(Fault(SMU, "timeout", match=b"*IDN?"))
        with pytest.raises(pyvisa.VisaIOError):
            smu.query("*IDN?")
        assert rack.clock.now >= 2.0  # the timeout, of which nothing was waited for
        assert smu.query("*IDN?").startswith("KEITHLEY")
        assert rack.traffic[SMU].messages == 2


def test_racks_stand_beside_each_other_and_are_gone_at_the_end():
    with ExitStack() as stack:
        first, second = (
            stack.enter_context(simulated.rack({SMU: "keithley2450"}, Resistor(ohms), exact=True))
            for ohms in (1e3, 1e4)
        )
        smu = opened(first)
        assert measured(opened(second)) == pytest.approx(1e-4)
        assert measured(smu, 0.1) == pytest.approx(1e-4)
        assert isinstance(first.clock, VirtualClock)
    with pytest.raises(pyvisa.errors.InvalidSession):
        smu.query("*IDN?")
    assert not [name for name in rack_names() if name.startswith("rack-")]


@contextmanager
def refused(what: str):
    before = rack_names()
    with pytest.raises(BenchError, match=what):
        yield
    assert rack_names() == before


@pytest.mark.parametrize(
    ("instruments", "load", "what"),
    [
        ({}, None, "a rack without instruments; name one as"),
        ({SMU: "keithley2451"}, None, f"{SMU}: no model 'keithley2451'; did you mean 'keithley2450'"),
        ({SMU: "x"}, None, "no model 'x'; there are agilentb1500, keithley2450"),
        ({SMU: 2450}, None, "2450 is no model; give its name, or the class of a twin"),
        ({"24": "keithley2450"}, None, "'24' is no VISA address; write one like 'GPIB0::24::INSTR'"),
        ({24: "keithley2450"}, None, "24 is no VISA address"),
        ({SMU: "keithley2450", "GPIB::24": "keithley2450"}, None, "are the same address; use another"),
        ({SMU: "keithley2450"}, {PAIR: Open()}, f"a load for '{PAIR}', where no instrument is; did you mean"),
        ({SMU: "keithley2450"}, {2: Open()}, f"{SMU}: no channel 2; there are 1"),
        ({SMU: "agilentb1500"}, {11: Open()}, "no channel 11; there are 1, 2, 3"),
        ({SMU: "keithley2450"}, 1e4, r"10000.0 is no load; give one like Resistor\(1e4\)"),
        ({DAQ: "keithleydaq6510"}, {130: 1.0}, "no channel 130"),
        ({DAQ: "keithleydaq6510"}, {101: Open()}, "is nothing that a DAQ measures; give a number"),
    ],
)
def test_a_rack_that_cannot_be_is_refused(instruments, load, what):
    with refused(what), simulated.rack(instruments, load):
        pass


def test_neither_a_chip_nor_lua_nor_scipy_is_loaded_for_it():
    program = (
        "import sys, pyvisa; from mho.instruments import simulated\n"
        f"with simulated.rack({{'{SMU}': 'keithley2450'}}, simulated.Resistor(1e4)) as rack:\n"
        f"    pyvisa.ResourceManager(rack.visa_library).open_resource('{SMU}').query('*IDN?')\n"
        "slow = 'scipy', 'lupa', 'pydantic', 'nidaqmx', 'h5py', 'pymeasure', 'pint', 'pytest'\n"
        "print([name for name in slow if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout == "[]\n"
