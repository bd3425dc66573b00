"""Many pulses in bounded work come to what the same pulses come to one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.physics.cells.cells import FORMED, STUCK_OFF, STUCK_ON, VIRGIN, CellArray
from mho.instruments.simulated.physics.cells.presets import cell_preset
from mho.instruments.simulated.physics.cells.pulse_trains import Level, _portions, pulse_train

CELL = (0, 0)


def cells(preset: str = "ideal", seed: int = 0, shape: tuple[int, int] = (1, 1)) -> CellArray:
    array = CellArray(*shape, cell_preset(preset), VirtualClock(), np.random.default_rng(seed))
    for row in range(shape[0]):
        array.set((row, 0), 4.2, 1e-6, 1.6)
    return array


def one_by_one(array: CellArray, cycle: list[Level], count: int, gate: float) -> None:
    pulse_train(array, CELL, cycle, count, gate, single=count)


level = st.builds(
    Level,
    st.floats(0.3, 3.5) | st.floats(-2.5, -0.3),
    st.floats(-8.3, -5.0).map(lambda exponent: 10.0**exponent),
    st.just(1),
)


@pytest.mark.thorough
@given(cycle=st.lists(level, min_size=1, max_size=3), count=st.integers(1, 400), gate=st.floats(1.0, 2.6))
@settings(max_examples=60, deadline=None)
def test_a_train_is_the_sum_of_its_pulses(cycle, count, gate):
    at_once, loop = cells(), cells()
    pulse_train(at_once, CELL, cycle, count, gate)
    one_by_one(loop, cycle, count, gate)
    signs = {each.volts > 0.0 for each in cycle}
    tolerance = 1e-3 if len(signs) == 1 else 0.05
    assert at_once.conductance(CELL) == pytest.approx(loop.conductance(CELL), rel=tolerance, abs=2e-8)
    assert at_once.status(CELL) == loop.status(CELL)


def test_a_virgin_cell_is_formed_by_a_pulse_that_is_high_enough_and_by_no_number_of_lower_ones():
    virgin = CellArray(1, 2, cell_preset("ideal"), VirtualClock(), np.random.default_rng(0))
    pulse_train(virgin, (0, 0), [Level(3.0, 1e-6)], 10**9, 2.5)
    pulse_train(virgin, (0, 1), [Level(3.2, 1e-6)], 10**9, 2.5)
    assert virgin.status().tolist() == [[VIRGIN, FORMED]]


def test_too_high_a_voltage_loses_the_cell():
    array = cells()
    pulse_train(array, CELL, [Level(4.5, 1e-8)], 10**9, 1.6)
    assert array.status(CELL) == STUCK_ON


def test_cycling_up_and_down_wears_a_cell_as_one_by_one():
    cycle = [Level(3.0, 1e-7), Level(-2.0, 1e-7)]
    at_once, loop = cells(), cells()
    pulse_train(at_once, CELL, cycle, 2000, 2.0)
    one_by_one(loop, cycle, 2000, 2.0)
    assert at_once.wear(CELL) == pytest.approx(loop.wear(CELL), rel=0.05)


def test_a_thousand_million_cycles_wear_a_cell_out():
    array = cells()
    pulse_train(array, CELL, [Level(3.0, 1e-7), Level(-2.0, 1e-7)], 10**9, 2.0)
    assert array.wear(CELL) > 1e8


def test_resets_without_end_lose_a_cell_sooner_or_later():
    array = cells("pku")
    pulse_train(array, CELL, [Level(-3.0, 1e-6)], 10**9, 2.8)
    assert array.status(CELL) == STUCK_OFF


@pytest.mark.thorough
def test_trains_scatter_as_the_pulses_do():
    """Over many cells the middle and the spread of a train agree with those of single pulses."""
    found = []
    for single in (8, 64):
        array = cells("pku", seed=3, shape=(400, 1))
        for row in range(400):
            pulse_train(array, (row, 0), [Level(-2.0, 1e-7)], 64, 2.8, single=single)
        found.append(np.log(array.conductance((slice(None), 0))))
    assert found[0].mean() == pytest.approx(found[1].mean(), abs=0.05)
    assert found[0].std() == pytest.approx(found[1].std(), rel=0.25)


def test_a_waveform_of_many_levels_costs_no_more_than_a_few_of_its_cycles():
    """Each level of a cycle is an act on the cell; a thousand million cycles of a thousand levels are some thousands."""
    array, acts = cells(), []
    for name in ("_set", "_reset"):
        method = getattr(array, name)
        setattr(array, name, lambda *a, method=method: (acts.append(1), method(*a)))
    sine = [Level(3.0 * float(np.sin(x)), 1e-9) for x in np.linspace(0.0, 6.28, 1000)]
    pulse_train(array, CELL, sine, 10**9, 2.0)
    assert len(acts) < 2500


@given(count=st.integers(1, 10**18), swings=st.booleans())
def test_portions_add_up_and_are_few(count, swings):
    portions = list(_portions(count, swings))
    assert sum(portions) == count
    assert len(portions) <= 4 * 64
