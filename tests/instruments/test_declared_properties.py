"""Every declared property of every SCPI driver refuses what is out of range before anything is sent."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pymeasure.test import expected_protocol

from instruments.drivers import (
    keithley2450,
    keithleydaq6510,
    keysight33522b,
    keysightb2912a,
    tektronixafg31000,
)
from instruments.drivers.scpi import Span
from mho_errors import InstrumentError, LimitError

SCPI = '0,"No error"'
KEITHLEY = [(":SYST:ERR?", '0,"No error;0;0 0"'), ("*LANG?", "SCPI")]

# driver, what it asks when it opens, what has the properties
DRIVERS = {
    "2450": (keithley2450.Keithley2450, [("*IDN?", "K,MODEL 2450,1,1"), *KEITHLEY], lambda it: it),
    "33522B": (keysight33522b.Keysight33522B, [("*IDN?", "K,33522B,1,1"), (":SYST:ERR?", SCPI)], lambda it: it.ch_1),
    "B2912A": (keysightb2912a.KeysightB2912A, [("*IDN?", "K,B2912A,1,1"), (":SYST:ERR?", SCPI)], lambda it: it.ch_2),
    "AFG31000": (tektronixafg31000.TektronixAFG31000, [("*IDN?", "T,AFG31052,1,1"), (":SYST:ERR?", SCPI)],
                 lambda it: it.ch_1),
    "AFG31000's trigger": (tektronixafg31000.TektronixAFG31000,
                           [("*IDN?", "T,AFG31052,1,1"), (":SYST:ERR?", SCPI)], lambda it: it),
    "DAQ6510": (keithleydaq6510.KeithleyDAQ6510, [("*IDN?", "K,MODEL DAQ6510,1,1"), *KEITHLEY], lambda it: it),
}  # fmt: skip


def declared(owner):
    """Return each settable property's name and what it may be: a `Span`, or a tuple of choices."""
    found = {}
    for name in dir(owner):
        attribute = getattr(owner, name, None)
        if isinstance(attribute, property) and attribute.fset is not None and attribute.fset.__defaults__:
            allowed = [
                d for d in attribute.fset.__defaults__ if isinstance(d, Span) or (isinstance(d, tuple) and d)
            ]
            if allowed:
                found[name] = allowed[0]
    return found


@pytest.mark.parametrize(("driver", "opening", "part"), DRIVERS.values(), ids=DRIVERS.keys())
@given(data=st.data())
def test_a_value_out_of_range_raises_before_anything_is_sent(driver, opening, part, data):
    with expected_protocol(driver, opening) as instrument:  # which fails on any message beside the opening
        owner = part(instrument)
        properties = declared(type(owner))
        assert properties
        name = data.draw(st.sampled_from(sorted(properties)), "property")
        allowed = properties[name]
        if isinstance(allowed, Span):
            value = data.draw(st.floats() | st.just(math.nan), "value")
            assume(not allowed.minimum <= value <= allowed.maximum)
            with pytest.raises(LimitError, match="beyond what the instrument can do"):
                setattr(owner, name, value)
        else:
            value = data.draw(st.text() | st.floats() | st.none(), "value")
            assume(value not in allowed)
            with pytest.raises(InstrumentError, match="does not exist; choose one of"):
                setattr(owner, name, value)


@pytest.mark.parametrize(("driver", "opening", "part"), DRIVERS.values(), ids=DRIVERS.keys())
def test_the_limits_themselves_are_sent_in_full_precision(driver, opening, part):
    for name, allowed in declared(type(part_of(driver, opening, part))).items():
        if isinstance(allowed, Span):
            pairs = [*opening]
            with (
                pytest.raises((ValueError, AssertionError)) as sent,
                expected_protocol(driver, pairs) as instrument,
            ):
                setattr(part(instrument), name, allowed.maximum)
            assert f"{allowed.maximum:.9e};:SYST:ERR?" in str(sent.value)


def part_of(driver, opening, part):
    with expected_protocol(driver, opening) as instrument:
        return part(instrument)
