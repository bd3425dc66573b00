"""The heated stage: ramp, lag and cooling in closed form, a heater of finite power, and any cut of the clock."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.physics.heated_stage import COOLING, LAG, REPORTED, STEP, HeatedStage

ROOM = 298.15
POWERFUL = 10.0  # K/s


def made() -> tuple[VirtualClock, HeatedStage]:
    clock = VirtualClock()
    return clock, HeatedStage(clock, ROOM)


@pytest.mark.parametrize("seconds", [1.0, 7.3, 100.0, 299.0])
def test_a_ramp_is_followed_a_lag_behind(seconds):
    clock, stage = made()
    rate = 10.0 / 60.0
    stage.regulate(ROOM, ROOM + 50.0, rate, POWERFUL)
    clock.advance(seconds)
    behind = rate * LAG * (1.0 - math.exp(-seconds / LAG))
    assert stage.temperature == pytest.approx(ROOM + rate * seconds - behind, abs=1e-9)


def test_a_step_is_approached_as_an_exponential_and_the_stage_stays_there():
    clock, stage = made()
    stage.regulate(ROOM, ROOM + 10.0, math.inf, POWERFUL)
    clock.advance(33.0)
    assert stage.temperature == pytest.approx(ROOM + 10.0 * (1.0 - math.exp(-33.0 / LAG)), abs=1e-9)
    clock.advance(1e7)
    assert stage.temperature == ROOM + 10.0


def test_without_the_heater_it_cools_to_what_is_around_it():
    clock, stage = made()
    stage.regulate(ROOM, 400.0, math.inf, POWERFUL)
    clock.advance(1000.0)
    stage.release()
    clock.advance(500.0)
    assert stage.temperature == pytest.approx(ROOM + (400.0 - ROOM) * math.exp(-500.0 / COOLING), abs=1e-6)
    clock.advance(1e6)
    assert stage.temperature == ROOM


def test_a_weak_heater_ends_where_its_full_power_holds_it():
    clock, stage = made()
    stage.regulate(ROOM, 400.0, 1.0, 0.01)
    clock.advance(600.0)
    assert stage.temperature == pytest.approx(ROOM + 0.01 * COOLING * (1.0 - math.exp(-1.0)), rel=1e-6)
    clock.advance(1e5)
    assert stage.temperature == pytest.approx(ROOM + 0.01 * COOLING)


def test_nothing_cools_below_what_is_around_it_and_it_cools_no_faster_than_by_itself():
    clock, stage = made()
    stage.regulate(ROOM, 400.0, math.inf, POWERFUL)
    clock.advance(1e4)
    stage.regulate(400.0, 250.0, math.inf, POWERFUL)
    clock.advance(100.0)
    assert stage.temperature == pytest.approx(ROOM + (400.0 - ROOM) * math.exp(-100.0 / COOLING), abs=1e-6)
    clock.advance(1e5)
    assert stage.temperature == ROOM


@given(st.lists(st.floats(0.01, 200.0), min_size=1, max_size=30))
def test_how_the_clock_is_cut_does_not_matter(cuts):
    ends = []
    for parts in (cuts, [sum(cuts)]):
        clock, stage = made()
        stage.regulate(ROOM, 380.0, 0.2, 0.15)  # the heater is at its limit for some time
        for part in parts:
            clock.advance(part)
            assert ROOM <= stage.temperature <= 380.0 + 1e-9
        ends.append(stage.temperature)
    assert ends[0] == pytest.approx(ends[1], abs=0.02)


def test_who_follows_is_told_of_every_step_and_of_the_end_and_then_no_more():
    clock, stage = made()
    told: list[tuple[float, float]] = []
    stage.follow(lambda kelvin: told.append((clock.now, kelvin)))
    stage.regulate(ROOM, ROOM + 20.0, 0.5, POWERFUL)
    clock.advance(1e4)
    assert told[-1][1] == ROOM + 20.0
    steps = [after - before for (_, before), (_, after) in pairwise(told[:-1])]
    assert all(REPORTED <= step < 0.5 * STEP + REPORTED for step in steps)
    settled = len(told)
    clock.advance(1e6)
    assert len(told) == settled
    assert clock._repeated == {}  # nothing is left to do, so that long waits stay cheap
