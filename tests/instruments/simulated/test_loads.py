"""Loads at the terminals of simulated instruments: their laws against closed forms, and what they record."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho.errors import InputError
from mho.instruments.simulated import Diode, Load, Open, Resistor, Short
from mho.instruments.simulated.analogue import regulate
from mho.instruments.simulated.excursions import Excursion
from mho.instruments.simulated.generators import Waveform
from mho.instruments.simulated.loads import LATEST

THERMAL = 1.380649e-23 * 300.0 / 1.602176634e-19  # V, at 300 K


def test_laws_are_those_of_their_names():
    assert Resistor(1e4).current(-2.0, 1e-3) == -2e-4
    assert Open().current(200.0, 1e-3) == 0.0
    assert Short().current(0.1, 1e-3) == pytest.approx(10.0)
    assert Load(lambda volts: volts**3).current(2.0, 1e-3) == 8.0


@given(
    st.floats(-200.0, 200.0), st.floats(1e-15, 1e-5), st.floats(1.0, 3.0), st.floats(1e-3, 1e6),
    st.floats(4.0, 500.0),
)  # fmt: skip
def test_the_diode_obeys_shockley_with_its_resistor(volts, saturation, ideality, resistance, temperature):
    diode = Diode(saturation, ideality, resistance, temperature)
    amperes = diode.current(volts, 1e-3)
    scale = ideality * THERMAL * temperature / 300.0
    rounding = 1e-12 * saturation
    assert -saturation <= amperes <= max(volts / resistance, 0.0) + rounding
    if amperes > saturation:  # the law, solved for the voltage
        across = scale * math.log1p(amperes / saturation)
        assert across + amperes * resistance == pytest.approx(volts, rel=1e-9)
    elif amperes > -0.99 * saturation:
        assert amperes == pytest.approx(
            saturation * math.expm1((volts - amperes * resistance) / scale), rel=1e-5, abs=1e-9 * saturation
        )


def test_the_diode_is_ohmic_at_0_v_and_saturates_in_reverse():
    diode = Diode(1e-12, 1.0, 1.0)
    assert diode.current(0.0, 1e-3) == pytest.approx(0.0, abs=1e-24)
    assert diode.current(1e-6, 1e-3) == pytest.approx(1e-12 * 1e-6 / THERMAL, rel=1e-4)
    assert diode.current(-100.0, 1e-3) == -1e-12


@given(st.floats(1e-9, 1.0), st.floats(1e-14, 1e-7), st.floats(1e-2, 10.0))
def test_a_current_source_finds_the_voltage_of_a_diode(amperes, saturation, resistance):
    diode = Diode(saturation, 1.5, resistance)
    found = regulate(lambda volts: diode.current(volts, 1e-3), amperes, 20.0)
    across = 1.5 * THERMAL * math.log1p(amperes / saturation) + amperes * resistance
    assert found == (pytest.approx(across, rel=1e-3), amperes, False)


def test_a_source_meter_leaves_its_levels():
    load = Open()
    assert (load.volts, load.peak) == (None, 0.0)
    for volts in (1.0, -3.0, 2.0):
        load.drive(volts, connected=True)
    assert load.volts == 2.0
    load.drive(9.0, connected=False)
    assert load.volts is None
    assert list(load.levels) == [1.0, -3.0, 2.0]
    assert (load.peak, load.pulse_count) == (-3.0, 0)
    load.clear()
    assert (list(load.levels), load.peak) == ([], 0.0)


def test_a_generator_leaves_its_pulses_and_a_long_run_only_the_latest():
    load = Open()
    load.pulse(2.0, 1e-6, 1e-3, 5)
    load.train([Excursion(3.0, 1e-6), Excursion(-1.0, 1e-6, 2)], 10)
    assert list(load.pulses) == [(2.0, 1e-6, 5), (3.0, 1e-6, 10), (-1.0, 1e-6, 20)]
    assert (load.pulse_count, load.peak) == (35, 3.0)
    for _ in range(2 * LATEST):
        load.pulse(1.0, 1e-6, 1e-3, 1)
    assert (len(load.pulses), load.pulse_count) == (LATEST, 35 + 2 * LATEST)


def test_what_plays_without_a_trigger_is_counted_as_time_passes():
    pulses = Waveform((Excursion(0.0, 9e-3), Excursion(-2.0, 1e-3)))
    playing: list[Waveform | None] = [None]
    load = Open()
    load.listen(lambda: playing[0])
    load.pass_time(0.0, 1.0)
    assert (load.waveform, load.pulse_count) == (None, 0)
    playing[0] = pulses
    for start in range(1, 4):
        load.pass_time(float(start), start + 1.0)
    assert (load.waveform, load.peak) == (pulses, -2.0)
    assert load.pulse_count == pytest.approx(300, abs=1)
    playing[0] = Waveform.constant(4.0)
    load.pass_time(4.0, 5.0)
    assert (load.peak, load.pulse_count) == (4.0, pytest.approx(300, abs=1))


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: Resistor(0), "the resistance of a resistor is 0; give a positive number of ohm"),
        (lambda: Resistor(math.inf), "is inf"),
        (lambda: Resistor("10k"), "is '10k'"),
        (lambda: Diode(resistance=0.0), "the resistance of a diode is 0.0"),
        (lambda: Diode(saturation=-1e-12), "the saturation current of a diode is -1e-12; give a positive"),
        (lambda: Diode(ideality=math.nan), "the ideality of a diode is nan; give a positive number$"),
        (lambda: Diode(temperature=None), "the temperature of a diode is None"),
        (lambda: Load(1e4), "a load's law must be a function of the volts"),
        (lambda: Load(lambda volts: None).current(0.5, 1.0), "returned None at 0.5 V; return finite amperes"),
        (lambda: Load(lambda volts: math.nan).current(0.5, 1.0), "returned nan at 0.5 V"),
    ],
)
def test_what_is_no_load_is_refused(make, what):
    with pytest.raises(InputError, match=what):
        make()
