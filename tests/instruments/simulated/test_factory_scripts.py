"""KISweep, KIPulse and the digital I/O of the simulated 2636B and its sisters, as scripts use them."""

import numpy as np
import pytest
from wired_twins import Resistor
from wired_twins import ask_all as ask

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.keithley2636b import (
    SimulatedKeithley2602B,
    SimulatedKeithley2614B,
    SimulatedKeithley2636B,
)
from mho.instruments.simulated.tsp.digital_lines import Wiring

SIEMENS = {"smua": 1e-3, "smub": 0.1}


class Trace(Resistor):
    """A resistor that remembers when it was driven with what."""

    def __init__(self, siemens, clock):
        super().__init__(siemens, clock)
        self.clock, self.steps = clock, []

    def drive(self, volts, *, connected):
        super().drive(volts, connected=connected)
        if not self.steps or self.steps[-1][1] != (volts if connected else None):
            self.steps.append((self.clock.now, volts if connected else None))


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def ports(clock):
    return {1: Trace(SIEMENS["smua"], clock), 2: Trace(SIEMENS["smub"], clock)}


def make(clock, ports=None, model=SimulatedKeithley2636B, **options):
    return model(clock, np.random.default_rng(1), ports or {}, accuracy=0.0, noise=0.0, **options)


@pytest.fixture
def twin(clock, ports):
    return make(clock, ports)


def errors(twin):
    codes = [error.code for error in twin.status.errors]
    twin.status.errors.clear()
    return codes


def numbers(twin, script):
    (reply,) = ask(twin, script)
    return [float(text) for text in reply.replace("\t", ",").split(",")]


QUICK = "smua.measure.nplc = 0.01 smua.measure.autozero = smua.AUTOZERO_ONCE "
FIXED = QUICK + "smua.source.rangev = 5 smua.measure.rangei = 1 smua.source.output = smua.OUTPUT_ON "
FIXED_B = (
    "smub.source.func = 0 smub.source.rangei = 1 smub.measure.nplc = 0.01 smub.measure.autozero = 1 "
    "smub.measure.rangev = 20 smub.source.output = 1 "
)


# --- KISweep ---


@pytest.mark.parametrize(
    ("call", "levels"),
    [
        ("SweepVLinMeasureI(smua, -1, 1, 1e-3, 5)", [-1.0, -0.5, 0.0, 0.5, 1.0]),
        ("SweepVLogMeasureI(smua, 0.01, 10, 1e-3, 4)", [0.01, 0.1, 1.0, 10.0]),
        ("SweepVListMeasureI(smua, {3, -1, 2}, 1e-3, 3)", [3.0, -1.0, 2.0]),
        ("SweepVListMeasureI(smua, {3, -1, 2}, 1e-3, 2)", [3.0, -1.0]),
        ("SweepILinMeasureV(smua, 0, 1e-3, 1e-3, 3)", [0.0, 5e-4, 1e-3]),
        ("SweepILogMeasureV(smua, -1e-5, -1e-3, 1e-3, 3)", [-1e-5, -1e-4, -1e-3]),
        ("SweepIListMeasureV(smua, {1e-3, 2e-3}, 1e-3, 2)", [1e-3, 2e-3]),
    ],
)
def test_a_sweep_measures_every_level_into_the_first_buffer(twin, call, levels):
    ask(twin, "smua.nvbuffer1.appendmode = 1 smua.measure.i(smua.nvbuffer1)")  # what was there before goes
    count = len(levels)
    columns = "smua.nvbuffer1.sourcevalues, smua.nvbuffer1.readings, smua.nvbuffer1.timestamps"
    rows = np.reshape(numbers(twin, f"{call} printbuffer(1, {count}, {columns})"), (-1, 3))
    factor = 1e3 if "SweepI" in call else 1e-3
    assert rows[:, 0] == pytest.approx(levels)
    assert rows[:, 1] == pytest.approx([factor * level for level in levels])
    assert (np.diff(rows[:, 2]) >= 1e-3 + 3 / 60).all()  # the settling time, and three apertures
    assert numbers(twin, "print(smua.nvbuffer1.n)") == [count]
    assert not errors(twin)


def test_a_sweep_leaves_function_level_and_output_as_they_were(twin, ports):
    ask(twin, "smua.source.levelv = 0.25 SweepILinMeasureV(smua, 1e-3, 2e-3, 0, 2)")
    assert numbers(twin, "print(smua.source.func, smua.source.levelv, smua.source.leveli, smua.source.output)") == [
        1.0, 0.25, 0.0, 0.0,
    ]  # fmt: skip
    assert ports[1].steps[-1][1] == 0.0


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ("SweepVLinMeasureI()", -104),
        ("SweepVLinMeasureI(print, 0, 1, 0, 3)", -104),
        ("SweepVLinMeasureI(smua, 0, 1, 0, 1)", 1102),
        ("SweepVLinMeasureI(smua, 0, 300, 0, 3)", 1101),
        ("SweepVLogMeasureI(smua, -1, 1, 0, 3)", -224),
        ("SweepVListMeasureI(smua, {1, 2}, 0, 3)", -224),
        ("SweepVListMeasureI(smua, 1, 0, 3)", -224),
        ("SweepILinMeasureV(smua, 0, 2, 0, 3)", 1101),
        ("PulseVMeasureI(smua, 0, 1, 1e-3, 1e-3, 0)", 1102),
        ("QueryPulseConfig(9)", -224),
    ],
)
def test_what_a_factory_script_cannot_do_is_refused_and_nothing_flows(twin, ports, call, code):
    before = list(ports[1].steps)
    ask(twin, call)
    assert errors(twin) == [code]
    assert ports[1].steps == before


# --- KIPulse ---


def test_simple_pulses_dwell_at_the_bias_and_measure_at_the_end_of_the_pulse(twin, ports, clock):
    start = clock.now
    call = QUICK + "PulseVMeasureI(smua, -1, 1, 1e-3, 2e-3, 2) printbuffer(1, 2, smua.nvbuffer1)"
    assert numbers(twin, call) == pytest.approx([1e-3, 1e-3])
    steps = [(round(when - start, 9), volts) for when, volts in ports[1].steps if volts]
    assert steps == [(0.0, -1.0), (0.002, 1.0), (0.003, -1.0), (0.005, 1.0), (0.006, -1.0)]
    assert clock.now - start == pytest.approx(8e-3)


def test_a_train_of_pulses_has_its_width_and_its_pause_and_fills_the_buffer(twin, ports, clock):
    ask(twin, FIXED)
    config = "ConfigPulseVMeasureI(smua, 0.5, 5, 1, 0.002, 0.2, 3, smua.nvbuffer1, 1)"
    assert ask(twin, f"print({config})")[0].startswith("true\t")
    begun = clock.now
    ports[1].steps.clear()
    assert ask(twin, "print(InitiatePulseTest(1))")[0].startswith("true\t")
    times = [when - begun for when, volts in ports[1].steps if volts == 5.0]
    ends = [when - begun for when, volts in ports[1].steps if volts == 0.5][1:]
    assert times == pytest.approx([0.0, 0.202, 0.404])
    assert ends == pytest.approx([0.002, 0.204, 0.406])
    assert clock.now - begun == pytest.approx(0.606)
    assert numbers(twin, "printbuffer(1, smua.nvbuffer1.n, smua.nvbuffer1)") == pytest.approx([5e-3] * 3)
    assert numbers(twin, "print(smua.nvbuffer1.timestamps[2], smua.source.levelv)") == pytest.approx(
        [0.202, 0.5]
    )


def test_a_pulse_sweep_has_its_levels_and_can_be_asked_for(twin):
    ask(twin, FIXED)
    call = "ConfigPulseVMeasureISweepLog(smua, 0, 0.05, 5, 1, 1e-3, 0.1, 3, smua.nvbuffer1, 7)"
    assert ask(twin, f"print({call}) print(InitiatePulseTest(7))") == [
        "true\tConfiguration successful", "true\tInitiate successful",
    ]  # fmt: skip
    assert numbers(twin, "printbuffer(1, 3, smua.nvbuffer1)") == pytest.approx([5e-5, 5e-4, 5e-3])
    text = ask(twin, "print(QueryPulseConfig(7).tostring())")
    assert {
        "tag = 7",
        "smu = smua",
        "start = 0.05",
        "time off = 0.1",
        "measure = yes",
        "{ 0.05, 0.5, 5 }",
    } <= set("\n".join(text).split("\n"))
    assert numbers(twin, "print(QueryPulseConfig(7).ton, QueryPulseConfig(7).sourcevalues[2])") == [1e-3, 0.5]


def test_pulses_of_a_current_return_to_their_bias_within_the_voltage_limit(twin, ports):
    ask(twin, FIXED_B)
    call = "ConfigPulseIMeasureVSweepLin(smub, 0.01, 0.1, 0.3, 2.5, 1e-3, 0.1, 3, smub.nvbuffer2, 3)"
    assert ask(twin, f"print({call}) print(InitiatePulseTest(3))")[1].startswith("true")
    assert numbers(twin, "printbuffer(1, 3, smub.nvbuffer2)") == pytest.approx([1.0, 2.0, 2.5])
    assert numbers(twin, "print(smub.measure.iv())") == pytest.approx([0.01, 0.1])
    assert numbers(twin, "print(smub.source.limitv)") == [20.0]  # the limit is the pulse's


def test_without_a_buffer_nothing_is_measured(twin, ports, clock):
    ask(twin, FIXED + "ConfigPulseVMeasureI(smua, 0, 1, 1, 0.002, 0.2, 2, nil, 1)")
    begun = clock.now
    assert ask(twin, "print(InitiatePulseTest(1))")[0].startswith("true")
    assert clock.now - begun == pytest.approx(0.404)
    assert numbers(twin, "print(smua.nvbuffer1.n, smua.nvbuffer2.n)") == [0, 0]
    assert not errors(twin)


@pytest.mark.parametrize(
    ("settings", "arguments", "fault"),
    [
        ("smua.source.autorangev = 1", "0, 1, 1, 1e-3, 0.1", "autorange"),
        ("", "0, 25, 0.1, 1e-3, 0.1", "source range"),
        ("", "30, 1, 0.1, 1e-3, 0.1", "source range"),
        ("", "0, 1, 1, 5e-5, 0.1", "ton is too short"),
        ("", "0, 1, 1, 1e-3, 0", "toff is too short"),
        ("smua.measure.nplc = 1", "0, 1, 1, 1e-3, 0.1", "does not fit"),
        ("smua.measure.autozero = smua.AUTOZERO_AUTO", "0, 1, 1, 3e-4, 0.1", "does not fit"),
        ("smua.measure.count = 10", "0, 1, 1, 1e-3, 0.1", "does not fit"),
        ("", "0, 1, 0, 1e-3, 0.1", "limit is too small"),
        ("smua.source.limiti = 0.1 smua.source.rangev = 200", "0, 150, 1.2, 1e-3, 1", "power"),
        ("smua.source.limiti = 0.1 smua.source.rangev = 200", "0, 150, 1, 9e-3, 5", "ton is too long"),
        ("smua.source.limiti = 0.1 smua.source.rangev = 200", "0, 190, 1, 3e-3, 5", "ton is too long"),
        ("smua.source.limiti = 0.1 smua.source.rangev = 200", "0, 150, 1, 2e-3, 0.19", "duty cycle"),
        ("", "0, 300, 1, 1e-3, 0.1", "Parameter too big"),
        ("", "0, 1, 5, 1e-3, 0.1", "Parameter too big"),
    ],
)
def test_pulses_that_cannot_be_achieved_are_not_configured(twin, settings, arguments, fault):
    ask(twin, FIXED + settings)
    (reply,) = ask(twin, f"print(ConfigPulseVMeasureI(smua, {arguments}, 1, smua.nvbuffer1, 1))")
    assert reply.startswith("false\t")
    assert fault in reply
    assert ask(twin, "print(InitiatePulseTest(1))")[0].startswith("false")
    assert not errors(twin)


def test_a_pulse_beyond_direct_current_is_put_out_with_its_own_limit(twin, ports):
    ask(
        twin,
        FIXED
        + "smua.source.rangev = 200 ConfigPulseVMeasureI(smua, 0, 150, 1, 2e-3, 0.2, 1, smua.nvbuffer1, 1)",
    )
    assert ask(twin, "print(InitiatePulseTest(1))")[0].startswith("true")
    assert numbers(twin, "print(smua.nvbuffer1[1])") == pytest.approx([0.15])  # the usual limit is 100 mA


def test_an_open_interlock_stops_high_pulses(clock, ports):
    twin = make(clock, ports, interlock=False)
    ask(twin, FIXED + "smua.source.rangev = 200 ConfigPulseVMeasureI(smua, 0, 50, 0.1, 2e-3, 0.2, 1, nil, 1)")
    assert ask(twin, "InitiatePulseTest(1)") == []
    assert errors(twin) == [802]
    assert max(volts or 0.0 for _, volts in ports[1].steps) == 0.0


def test_a_train_wants_its_output_on_and_its_settings_kept(twin):
    ask(twin, FIXED + "ConfigPulseVMeasureI(smua, 0, 1, 1, 1e-3, 0.1, 1, smua.nvbuffer1, 1)")
    assert "output is off" in ask(twin, "smua.source.output = 0 print(InitiatePulseTest(1))")[0]
    late = ask(twin, "smua.source.output = 1 smua.measure.nplc = 10 print(InitiatePulseTest(1))")[0]
    assert "does not fit" in late


# --- two trains ---


def test_the_first_of_two_trains_encloses_the_second_and_both_measure_at_once(twin, ports, clock):
    ask(twin, FIXED + FIXED_B)
    ask(twin, "ConfigPulseVMeasureI(smua, 0, 5, 1, 2e-3, 0.2, 2, smua.nvbuffer1, 1)")
    ask(twin, "ConfigPulseIMeasureV(smub, 0, -0.1, 5, 1e-3, 0.2, 2, smub.nvbuffer1, 2)")
    for port in ports.values():
        port.steps.clear()
    begun = clock.now
    assert ask(twin, "print(InitiatePulseTestDual(1, 2))")[0].startswith("true")
    outer = [when - begun for when, volts in ports[1].steps if when > begun or volts]
    inner = [when - begun for when, volts in ports[2].steps if when > begun]
    assert outer[:3] == pytest.approx([0.0, 2e-3, 0.202])
    assert inner[0] == pytest.approx(2e-3 - 15e-6 - 1e-3)
    assert any(when == pytest.approx(2e-3 - 15e-6) for when in inner)
    stamps = "print(smua.nvbuffer1.basetimestamp - smub.nvbuffer1.basetimestamp)"
    assert numbers(twin, stamps) == pytest.approx([0.0], abs=1e-12)
    assert numbers(twin, "printbuffer(1, 2, smua.nvbuffer1, smub.nvbuffer1)") == pytest.approx(
        [5e-3, -1.0] * 2
    )


@pytest.mark.parametrize(
    ("inner", "fault"),
    [
        ("smub, 0, 0.1, 5, 1.96e-3, 0.2, 2, smub.nvbuffer1", "40 us"),
        ("smub, 0, 0.1, 5, 1e-3, 0.3, 2, smub.nvbuffer1", "toff"),
        ("smub, 0, 0.1, 5, 1e-3, 0.2, 3, smub.nvbuffer1", "points"),
    ],
)
def test_trains_that_do_not_go_together_are_refused(twin, inner, fault):
    ask(twin, FIXED + FIXED_B + "ConfigPulseVMeasureI(smua, 0, 5, 1, 2e-3, 0.2, 2, smua.nvbuffer1, 1)")
    ask(twin, f"ConfigPulseIMeasureV({inner}, 2)")
    assert fault in ask(twin, "print(InitiatePulseTestDual(1, 2))")[0]
    assert "one channel" in ask(twin, "print(InitiatePulseTestDual(1, 1))")[0]
    assert "tag" in ask(twin, "print(InitiatePulseTestDual(1, 5))")[0]


# --- sweeps of a current by the trigger model ---


@pytest.mark.parametrize(
    ("list_", "amperes"),
    [("listi({1e-3, 3e-3})", [1e-3, 3e-3]), ("lineari(0, 2e-3, 2)", [0.0, 2e-3]),
     ("logi(1e-4, 1e-2, 2)", [1e-4, 1e-2])],
)  # fmt: skip
def test_the_trigger_model_sweeps_a_current(twin, list_, amperes):
    ask(
        twin,
        f"smua.source.func = 0 smua.trigger.source.{list_} smua.trigger.source.action = 1 "
        "smua.trigger.endsweep.action = 1 smua.trigger.measure.v(smua.nvbuffer1) smua.trigger.measure.action = 1 "
        "smua.trigger.count = 2 smua.source.output = 1 smua.trigger.initiate() waitcomplete()",
    )
    assert numbers(twin, "printbuffer(1, 2, smua.nvbuffer1)") == pytest.approx(
        [1e3 * each for each in amperes]
    )
    assert numbers(twin, "print(smua.source.leveli)") == pytest.approx(amperes[-1:])


def test_a_sweep_of_the_other_function_is_refused(twin):
    ask(twin, "smua.trigger.source.listi({1e-3}) smua.trigger.source.action = 1 smua.trigger.initiate()")
    assert errors(twin) == [-221]


def test_a_sweeps_own_limit_ends_with_the_pulse(twin):
    ask(
        twin,
        FIXED + "smua.source.levelv = 1 smua.trigger.source.listv({3}) smua.trigger.source.limiti = 2e-3 "
        "smua.trigger.source.action = 1 smua.trigger.measure.i(smua.nvbuffer1) smua.trigger.measure.action = 1 "
        "smua.trigger.endpulse.action = 0 smua.trigger.initiate() waitcomplete() smua.source.levelv = 4",
    )
    assert numbers(twin, "print(smua.nvbuffer1[1], smua.measure.i())") == pytest.approx([2e-3, 4e-3])


def test_a_change_of_the_function_does_not_turn_a_sweeps_volts_into_amperes(twin, ports):
    ask(
        twin,
        FIXED
        + "smua.trigger.source.listv({3}) smua.trigger.source.action = 1 smua.trigger.measure.i(smua.nvbuffer1) "
        "smua.trigger.measure.action = 1 smua.trigger.measure.stimulus = trigger.EVENT_ID smua.trigger.initiate()",
    )
    assert numbers(twin, "print(smua.nvbuffer1.n)") == [0]
    assert ports[1].steps[-1][1] == 3.0
    ask(twin, "smua.source.func = 0")
    assert ports[1].steps[-1][1] == pytest.approx(0.0, abs=1e-9)


# --- digital I/O ---


def test_bits_and_the_port_are_written_but_for_what_is_protected(twin):
    assert numbers(twin, "print(digio.readport())") == [16383]
    assert numbers(twin, "digio.writebit(3, 0) print(digio.readport(), digio.readbit(3), digio.readbit(4))") == [
        16379, 0, 1,
    ]  # fmt: skip
    assert numbers(twin, "digio.writeprotect = 4 digio.writeport(3) print(digio.readport())") == [3]
    assert numbers(twin, "digio.writeport(16383) print(digio.readport())") == [16379]
    assert numbers(twin, "reset() print(digio.readport(), digio.writeprotect)") == [16383, 0]
    ask(twin, "digio.writebit(15, 1)")
    ask(twin, "digio.writebit(1, 2)")
    assert errors(twin) == [1101, 1101]


def test_a_trigger_pulse_lasts_its_width(twin):
    ask(twin, "digio.trigger[2].mode = digio.TRIG_FALLING digio.trigger[2].pulsewidth = 1e-3")
    script = "digio.trigger[2].assert() print(digio.readbit(2)) delay(0.9e-3) print(digio.readbit(2)) "
    assert ask(twin, script + "delay(0.2e-3) print(digio.readbit(2))") == [
        "0.00000e+00", "0.00000e+00", "1.00000e+00",
    ]  # fmt: skip
    assert ask(
        twin, "digio.trigger[2].pulsewidth = 0 digio.trigger[2].assert() delay(10) print(digio.readbit(2))"
    ) == ["0.00000e+00"]
    assert numbers(twin, "digio.trigger[2].release() print(digio.readbit(2))") == [1]


def test_a_trigger_that_comes_during_a_pulse_is_ignored(twin):
    ask(twin, "digio.trigger[2].mode = digio.TRIG_FALLING digio.trigger[2].pulsewidth = 1e-3")
    script = "digio.trigger[2].assert() delay({}) " * 3 + "print(digio.readbit(2))"
    assert numbers(twin, script.format(0.5e-3, 0.7e-3, 0.8e-3)) == [0]  # the third lasts until 2.2 ms


def test_a_pulse_ends_when_its_events_are_dropped(twin):
    ask(twin, "digio.trigger[2].mode = 1 digio.trigger[2].pulsewidth = 100 digio.trigger[2].assert()")
    ask(twin, "smua.trigger.initiate() waitcomplete()")
    assert numbers(twin, "print(digio.readbit(2))") == [1]


@pytest.fixture
def pair(clock):
    """Return two instruments whose digital ports are on one cable."""
    wiring = Wiring()
    return make(clock, wiring=wiring), make(clock, wiring=wiring)


@pytest.mark.parametrize(
    ("mode", "asserted", "caught"),
    [
        ("FALLING", "true", True), ("RISINGA", "true", True), ("EITHER", "true", True),
        ("BYPASS", "true", False), ("RISINGM", "true", False),
    ],
)  # fmt: skip
def test_one_instrument_triggers_another(pair, mode, asserted, caught):
    sender, receiver = pair
    ask(receiver, f"digio.trigger[5].mode = digio.TRIG_{mode} digio.trigger[5].clear()")
    ask(sender, "digio.trigger[5].mode = digio.TRIG_FALLING digio.trigger[5].assert() delay(1e-3)")
    assert ask(receiver, "print(digio.trigger[5].wait(0.1))") == [str(caught).lower()]
    assert ask(receiver, "print(digio.trigger[5].wait(0.1))") == ["false"]  # it is used up


def test_a_synchronous_line_is_held_until_it_is_acknowledged(pair):
    sender, receiver = pair
    ask(receiver, "digio.trigger[1].mode = digio.TRIG_SYNCHRONOUSA")
    ask(sender, "digio.trigger[1].mode = digio.TRIG_FALLING digio.trigger[1].assert() delay(1)")
    assert numbers(sender, "print(digio.readbit(1))") == [0]
    ask(receiver, "digio.trigger[1].assert()")
    assert numbers(sender, "print(digio.readbit(1))") == [1]


def test_an_event_that_comes_before_the_last_was_taken_is_an_overrun(pair):
    sender, receiver = pair
    ask(receiver, "digio.trigger[1].mode = digio.TRIG_FALLING")
    ask(sender, "digio.trigger[1].mode = 1 digio.trigger[1].assert() delay(1)")
    assert ask(receiver, "print(digio.trigger[1].overrun)") == ["false"]
    ask(sender, "digio.trigger[1].assert() delay(1)")
    assert ask(receiver, "print(digio.trigger[1].overrun)") == ["true"]
    assert ask(
        receiver, "digio.trigger[1].clear() print(digio.trigger[1].overrun, digio.trigger[1].wait(0))"
    ) == ["false\tfalse"]


def test_an_event_asserts_a_line_and_a_line_starts_a_sweep(pair):
    first, second = pair
    sweep = (
        "smua.trigger.source.listv({1, 2}) smua.trigger.source.action = 1 smua.trigger.measure.v(smua.nvbuffer1) "
        "smua.trigger.measure.action = 1 smua.trigger.count = 2 smua.source.output = 1 smua.trigger.initiate() "
    )
    ask(second, "digio.trigger[4].mode = 1 smua.trigger.arm.stimulus = digio.trigger[4].EVENT_ID " + sweep)
    ask(
        first,
        "digio.trigger[4].mode = 1 digio.trigger[4].stimulus = smua.trigger.SWEEP_COMPLETE_EVENT_ID " + sweep,
    )
    assert numbers(second, "print(smua.nvbuffer1.n)") == [0]
    ask(first, "waitcomplete()")
    assert numbers(second, "waitcomplete() print(smua.nvbuffer1.n)") == [2]


def test_a_line_that_triggers_itself_does_not_hang(twin):
    ask(
        twin,
        "digio.trigger[1].mode = digio.TRIG_EITHER digio.trigger[1].stimulus = digio.trigger[1].EVENT_ID "
        "digio.trigger[1].assert() delay(1e5)",
    )
    assert errors(twin) == [-286]
    ask(twin, "waitcomplete() digio.trigger[1].reset()")
    assert numbers(twin, "print(digio.readbit(1), digio.trigger[1].mode)") == [1, 0]


def test_a_train_waits_for_its_line_and_announces_its_pulses(clock, ports):
    wiring = Wiring()
    twin, other = make(clock, ports, wiring=wiring), make(clock, wiring=wiring)
    ask(other, "digio.trigger[2].mode = 1 digio.trigger[1].mode = 1")
    ask(twin, FIXED + "digio.trigger[1].mode = 1 digio.trigger[2].mode = 1")
    config = "ConfigPulseVMeasureI(smua, 0, 1, 1, 1e-3, 0.1, 1, smua.nvbuffer1, 1, 1, 2, 0.5)"
    assert ask(twin, f"print({config})")[0].startswith("true")
    begun = clock.now
    assert ask(twin, "print(InitiatePulseTest(1))") == ["false\tInitiate failed: timer timeout"]
    assert clock.now - begun == pytest.approx(0.5)
    assert ask(other, "print(digio.trigger[2].wait(0))") == ["false"]
    ask(other, "digio.trigger[1].assert() delay(1e-3)")
    assert ask(twin, "print(InitiatePulseTest(1))")[0].startswith("true")
    assert ask(other, "print(digio.trigger[2].wait(0))") == ["true"]
    ask(twin, config.replace("0.5)", "0.5, false)"))
    assert ask(twin, "print(InitiatePulseTest(1))")[0].startswith("true")  # it goes on without a trigger


def test_a_2614b_has_no_digital_lines_and_a_2602b_pulses_of_its_own(clock, ports):
    small = make(clock, ports, SimulatedKeithley2614B)
    assert ask(small, "print(digio)") == ["nil"]
    ask(small, FIXED)
    assert ask(small, "print(ConfigPulseVMeasureI(smua, 0, 1, 1, 1e-3, 0.1, 1, nil, 1, 3))")[0].startswith(
        "false"
    )
    other = make(clock, ports, SimulatedKeithley2602B)
    ask(other, FIXED + "smua.source.rangev = 40")
    ask(other, "smua.source.limiti = 1")
    answer = "print(ConfigPulseVMeasureI(smua, 0, 38, 1.5, 0.05, {}, 1, nil, 1))"
    assert ask(other, answer.format(0.15))[0].startswith("true")
    assert "duty cycle" in ask(other, answer.format(0.14))[0]


@pytest.mark.parametrize(("first", "then"), [("VOLTS", "AMPS"), ("AMPS", "VOLTS")])
def test_a_sweep_whose_source_changes_its_function_goes_on_at_the_source_s_own_level(twin, first, then):
    kind = {"VOLTS": "v", "AMPS": "i"}[first]
    script = (
        f"smua.source.func = smua.OUTPUT_DC{first} smua.source.output = 1 "
        f"smua.trigger.source.list{kind}({{1e-4, 2e-4, 3e-4}}) smua.trigger.source.action = smua.ENABLE "
        "smua.trigger.count = 3 smua.source.delay = 1 smua.trigger.initiate() delay(1.5) "
        f"smua.source.func = smua.OUTPUT_DC{then} waitcomplete() print(smua.source.levelv, smua.source.leveli)"
    )
    assert numbers(twin, script) == [0.0, 0.0]
    assert errors(twin) == []
    assert numbers(twin, f"smua.source.func = smua.OUTPUT_DC{first} print(smua.source.level{kind})") == [0.0]
