"""The preset `stanford` beside the measured chips: what the benchmark counts, on fewer cells."""

import numpy as np
import pytest

from benchmarks._measured_cells import (
    MEASURED,
    cycled,
    formed,
    program,
    reset_staircase,
    single_sets,
    variance_parts,
)
from benchmarks.measured_cells import beside
from mho.instruments.simulated.physics.cells.presets import CELL_PRESETS

STANFORD = CELL_PRESETS["stanford"]


@pytest.mark.thorough
@pytest.mark.parametrize("number", [0, 1, 2])
def test_ispp_takes_as_many_pulses_as_measured(number):
    run = MEASURED["ispp"]["runs"][number]
    pulses, success = [], []
    for level, (low, high, _, mean, *_) in enumerate(run["levels"][:3]):
        cells, clock = formed(STANFORD, 1500, seed=level)
        cycled(cells, clock, 5)
        done = program(cells, clock, low, high or np.inf, 0.1, run["attempts"])
        assert done.pulses.mean() == pytest.approx(mean, rel=0.25)
        pulses.append(done.pulses)
        success.append(done.success)
    _, mean, _, p95, share = run["without_HRS"]
    assert np.mean(pulses) == pytest.approx(mean, rel=0.15)
    assert np.quantile(pulses, 0.95) == pytest.approx(p95, rel=0.30)
    assert np.mean(success) == pytest.approx(share, abs=0.01)


@pytest.mark.thorough
def test_a_ramp_of_small_steps_takes_more_pulses_and_fewer_attempts():
    low, high = MEASURED["ispp"]["runs"][0]["levels"][2][:2]
    small, large = (program(*formed(STANFORD, 1000, seed=4), low, high, step, 200) for step in (0.02, 0.1))
    assert small.pulses.mean() > large.pulses.mean()
    assert small.resets.mean() < large.resets.mean()


@pytest.mark.thorough
def test_single_sets_lie_at_the_measured_medians():
    for gate, median, *_ in MEASURED["set"]["rows"]:
        if gate >= 2.35:
            assert np.median(single_sets(STANFORD, 500, 4, gate, seed=1)) == pytest.approx(median, rel=0.06)


def test_a_staircase_of_resets_falls_as_measured():
    after = reset_staircase(STANFORD, 3000, seed=2)
    for voltage, *quartiles in MEASURED["reset"]["rows"]:
        if voltage >= 1.8:
            ours = np.quantile(after[voltage], [0.25, 0.5, 0.75])
            assert np.abs(np.log(ours / quartiles)).max() < 0.35


def test_variance_parts_are_those_of_one_way_random_effects():
    rng = np.random.default_rng(1)
    values = rng.normal(0.0, 0.3, (40, 4000)) + rng.normal(0.0, 0.2, 4000)
    assert variance_parts(values) == pytest.approx((0.3, 0.2), rel=0.02)


def test_a_statistic_from_the_same_cells_is_probable_and_one_far_off_is_not():
    values = np.random.default_rng(2).normal(10.0, 1.0, 5000)

    def mean(some):
        return float(values[some].mean())

    near, far = (
        beside("mean", measured, "", mean, 5000, 100, np.random.default_rng(3)) for measured in (10.05, 11.0)
    )
    assert near.detail["probability"] > 0.3
    assert far.detail["probability"] == 0.0
    assert far.ratio == pytest.approx(10.0 / 11.0, rel=0.01)
