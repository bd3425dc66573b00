"""Telegraph noise: detection and false alarms on the twin's own traps, dwell times against what was drawn."""

from __future__ import annotations

import numpy as np
import pytest
from daily import daily
from telegraph_cells import INTERVAL, read_in_a_row

from mho.procedures.cells.reading.telegraph import (
    dwell_times,
    exits_of,
    find_telegraph,
    split,
    with_hysteresis,
)

SEEDS = (3, 4, 5)


def chain(low: float, high: float, samples: int, seed: int, interval: float = 1e-3) -> np.ndarray:
    """Return a two-state chain with these dwell times (s), seen every `interval`."""
    rng = np.random.default_rng(seed)
    share, rate = high / (low + high), 1.0 / low + 1.0 / high
    kept = np.exp(-interval * rate)
    up = np.empty(samples, bool)
    up[0] = rng.random() < share
    for sample in range(1, samples):
        up[sample] = rng.random() < share + (up[sample - 1] - share) * kept
    return up


@pytest.mark.thorough
@pytest.mark.parametrize(("preset", "seeds", "cells"), [("pku", SEEDS, (36, 170)), ("quiet", (5,), (17, 56))])
def test_the_twin_s_traps_are_found_and_1_f_noise_gives_no_alarm(preset, seeds, cells):
    found, seen, alarms, quiet = 0, 0, 0, 0
    for seed in seeds:
        series, traps = read_in_a_row(preset, seed)
        told = np.array([find_telegraph(one[None], INTERVAL) is not None for one in series.T])
        found += int((told & traps.seen).sum())
        seen += int(traps.seen.sum())
        alarms += int((told & (traps.number == 0)).sum())
        quiet += int((traps.number == 0).sum())
    assert (seen, quiet) == cells
    assert found >= 0.95 * seen
    assert alarms == 0


@pytest.mark.thorough
@pytest.mark.parametrize("seeds", [[SEEDS[0]], [*SEEDS]])
def test_dwell_times_and_their_intervals_are_those_of_the_twin_s_traps(seeds):
    held, ratios = [], []
    for seed in seeds:
        series, traps = read_in_a_row("pku", seed)
        for cell in np.flatnonzero(traps.seen):
            telegraph = find_telegraph(series[:, [cell]].T, INTERVAL)
            if telegraph is None:
                continue
            for true, dwell, (low, high) in (
                (traps.dwell_low[cell], telegraph.dwell_low, telegraph.dwell_low_interval),
                (traps.dwell_high[cell], telegraph.dwell_high, telegraph.dwell_high_interval),
            ):
                held.append(low <= true <= high)
                ratios.append(dwell / true)
    assert np.mean(held) > 0.85
    assert np.median(ratios) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(
    ("low", "high"), daily([(0.02, 0.05), (0.002, 0.004), (0.0015, 0.03)], [(0.002, 0.004)])
)
def test_dwells_between_two_samples_are_not_missed(low, high):
    held = np.zeros(2)
    for seed in range(40):
        dwells, ends = dwell_times(chain(low, high, 3000, seed)[None], 1e-3)
        held += (ends[:, 0] <= (low, high)) & (ends[:, 1] >= (low, high))
        assert dwells == pytest.approx((low, high), rel=0.6)
    assert (held >= 34).all()  # 38 expected


def test_levels_are_found_in_their_own_noise():
    up = chain(0.02, 0.05, 3000, 1)
    series = np.where(up, 21e-6, 20e-6) + np.random.default_rng(2).normal(0.0, 0.1e-6, 3000)
    telegraph = find_telegraph(series.reshape(3, 1000), 1e-3)
    assert (telegraph.low, telegraph.high) == (pytest.approx(20e-6, rel=1e-3), pytest.approx(21e-6, rel=1e-3))
    assert telegraph.separation == pytest.approx(10.0, rel=0.1)


@pytest.mark.parametrize("shape", ["white", "ramp", "wave", "walk", "one jump"])
def test_what_is_no_telegraph_noise_has_one_level(shape):
    rng = np.random.default_rng(7)
    time = np.linspace(0.0, 1.0, 2500)
    quiet = rng.normal(0.0, 0.01, 2500)
    series = {
        "white": 30.0 * quiet,
        "ramp": time + quiet,
        "wave": np.sin(20.0 * time) + quiet,
        "walk": np.cumsum(quiet),
        "one jump": (time > 0.4) + quiet,
    }[shape]
    assert find_telegraph(20e-6 * (1.0 + 0.01 * series)[None], 1e-3) is None


def test_a_cut_leaves_the_least_variance_and_hysteresis_keeps_a_state_until_it_is_left():
    assert split(np.array([1.0, 1.0, 1.2, 3.0, 3.2])) == pytest.approx((1.0667, 3.1), rel=1e-3)
    up = with_hysteresis(np.array([[0.5, 0.9, 0.55, 0.45, 0.1, 0.5, 0.9]]), 0.5, 0.3)
    assert up.tolist() == [[True, True, True, True, False, False, True]]
    assert exits_of(up) == (1, 1)
    assert find_telegraph(np.full((1, 100), 1e-5), 1e-3) is None
