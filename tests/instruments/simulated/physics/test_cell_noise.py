"""Read noise: exact over any step, 1/f in frequency, telegraph in time, white at the bottom."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.physics.cells.cells import CellArray
from mho.instruments.simulated.physics.cells.noise import (
    ELEMENTARY,
    FlickerNoise,
    TelegraphNoise,
    mean_variance,
    mean_weight,
    white_variance,
)
from mho.instruments.simulated.physics.cells.presets import CELL_PRESETS, CellPreset
from mho.instruments.simulated.physics.cells.relaxation import BOLTZMANN

ALL = slice(None)
IDEAL, QUIET, PKU, RELAXING = (CELL_PRESETS[n] for n in ("ideal", "quiet", "pku", "relaxing"))
N = 40_000
TAU = 1e-2  # s, the one correlation time of most tests
ONE = replace(PKU, read_noise=1.0, noise_fastest=TAU, noise_slowest=TAU)
TRAP = replace(PKU, rtn_noise=1.0, rtn_fastest=TAU, rtn_slowest=TAU)


def flicker(preset: CellPreset = ONE, count: int = N, seed: int = 1) -> FlickerNoise:
    return FlickerNoise((1, count), preset, np.random.default_rng(seed))


def telegraph(preset: CellPreset = TRAP, count: int = N, seed: int = 1) -> TelegraphNoise:
    return TelegraphNoise(np.ones((1, count), bool), preset, np.random.default_rng(seed))


def advance(noise: FlickerNoise, now: float) -> np.ndarray:
    """Advance all cells to a time; return their processes, (..., decades)."""
    return np.moveaxis(noise._advanced(ALL, now, 0.0), 0, -1).copy()


def dwell_times(noise: TelegraphNoise, trap: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean times (s) that traps of these numbers stay up and stay down."""
    times, occupancy = noise.times[trap], noise.occupancy[trap]
    return times / (1.0 - occupancy), times / occupancy


def correlation(a, b):
    return np.corrcoef(np.ravel(a), np.ravel(b))[0, 1]


# --- the mean over an aperture, in closed form ---


@pytest.mark.parametrize("x", [1e-9, 1e-4, 0.9e-3, 1.1e-3, 0.3, 5.0, 1e4])
def test_weight_and_variance_of_a_mean(x):
    u = (np.arange(200_000) + 0.5) / 200_000
    assert mean_weight(x) == pytest.approx(np.exp(-x * u).mean(), rel=1e-3)
    assert mean_variance(x) == pytest.approx((2 * (1 - u) * np.exp(-x * u)).mean(), rel=1e-3)


# --- 1/f ---


def test_a_cell_alone_has_the_noise_that_it_has_among_others():
    alone, listed = flicker(QUIET, 4), flicker(QUIET, 4)
    now, means = 0.0, []
    for number in range(200):
        now += (1e-5, 1e-3, 0.3)[number % 3]
        aperture = (1.6e-4, 1e-2)[number % 2]
        means.append(alone.average((0, 2), now, aperture))
        among = listed.average((np.array([0]), np.array([2])), now, aperture)
        assert means[-1] == pytest.approx(among[0], rel=1e-3, abs=1e-5 * QUIET.read_noise)
    assert np.std(means) > 0.1 * QUIET.read_noise


@pytest.mark.parametrize("steps", [1, 7, 100])
def test_many_small_steps_are_one_large_one(steps):
    noise = flicker()
    before = advance(noise, 0.0).copy()
    for step in range(1, steps + 1):
        after = advance(noise, TAU * step / steps)
    assert after.std() == pytest.approx(1.0, rel=0.02)
    assert correlation(before, after) == pytest.approx(np.exp(-1.0), abs=0.02)


def test_looking_again_at_once_changes_nothing():
    noise = flicker(QUIET, 100)
    first = advance(noise, 5.0)
    np.testing.assert_allclose(advance(noise, 5.0), first, atol=1e-6)
    np.testing.assert_allclose(advance(noise, 5.0), first, atol=1e-6)


@pytest.mark.parametrize("x", [0.05, 1.0, 6.0])
def test_an_aperture_averages_as_small_steps_do(x):
    aperture, steps = x * TAU, 60
    noise, brute = flicker(), flicker(seed=2)
    start, brute_start = advance(noise, 0.0).copy(), advance(brute, 0.0).copy()
    mean = noise.average(ALL, 0.0, aperture)
    end = advance(noise, aperture)
    path = np.array([advance(brute, aperture * (k + 0.5) / steps)[..., 0] for k in range(steps)])
    brute_mean, brute_end = path.mean(axis=0), advance(brute, aperture)
    assert mean.var() == pytest.approx(mean_variance(x), rel=0.03)
    assert mean.var() == pytest.approx(brute_mean.var(), rel=0.04)
    assert correlation(mean, start) == pytest.approx(correlation(brute_mean, brute_start), abs=0.02)
    assert correlation(mean, end) == pytest.approx(correlation(brute_mean, brute_end), abs=0.02)
    assert correlation(start, end) == pytest.approx(np.exp(-x), abs=0.02)


@pytest.mark.parametrize("together", [True, False], ids=["looked at together", "one by one"])
@pytest.mark.parametrize(("gap", "aperture"), [(3e-3, 2e-3), (0.0, 5e-3), (0.1, 1e-2), (2e-4, 0.3)])
def test_a_mean_after_a_while_goes_with_what_was_before_and_what_is_after(gap, aperture, together):
    """All covariances of last value, mean and end over three decades, against their closed forms."""
    three = replace(ONE, noise_fastest=1e-4, noise_slowest=1e-2)
    noise, looked = flicker(three), 1.0 if together else np.linspace(0.5, 1.0, N)
    last = advance(noise, 1.0).copy()
    noise._time[0] = looked + 1.0  # and 1 s from power-up to the clock's zero
    mean = noise.average(ALL, 1.0 + gap, aperture) / noise.amplitude
    end = advance(noise, 1.0 + gap + aperture)
    past = 1.0 + gap - np.atleast_1d(looked)[:, None]  # s, (cells or 1, 1)
    weight = mean_weight(aperture / noise.times)
    five = 5.0 * np.sqrt(3.0 / N)  # deviations
    assert (mean**2).mean() == pytest.approx(mean_variance(aperture / noise.times).sum(), abs=2.0 * five)
    shared = {
        "last and mean": ((mean[..., None] * last), (weight * np.exp(-past / noise.times)).mean(axis=0)),
        "mean and end": ((mean[..., None] * end), weight),
        "last and end": ((last * end), np.exp(-(past + aperture) / noise.times).mean(axis=0)),
        "end": (end**2, np.ones(3)),
    }
    for name, (product, expected) in shared.items():
        np.testing.assert_allclose(product.mean(axis=(0, 1)), expected, atol=five, err_msg=name)


@pytest.mark.parametrize("x", [0.1, 1.0, 5.0])
def test_two_apertures_in_a_row_are_one_of_twice_the_length(x):
    noise = flicker()
    first = noise.average(ALL, 0.0, x * TAU)
    second = noise.average(ALL, x * TAU, x * TAU)
    assert (0.5 * (first + second)).var() == pytest.approx(mean_variance(2 * x), rel=0.03)


@pytest.mark.parametrize("apart", [0.0, 1e-3], ids=["all kept", "fastest forgotten"])
def test_two_reads_of_cells_that_were_taken_have_the_same_law_whatever_is_forgotten_between_them(apart):
    """Variances and covariance of two means over five decades, against their closed forms."""
    noise = flicker(replace(ONE, noise_fastest=1e-6, noise_slowest=1e-2))
    rng, aperture, gap = np.random.default_rng(4), 2e-5, 1e-3
    some = noise.taken(ALL, rng, apart)
    drawn = [some.average(ALL, at, aperture) / noise.amplitude for at in (1.0, 1.0 + aperture + gap)]
    fastest = noise._state[0]
    assert fastest.any() == (apart == 0.0)  # nothing is drawn of what nobody will see
    weight = mean_weight(aperture / noise.times)
    five = 5.0 * np.sqrt(5.0 / N)  # deviations
    for each in drawn:
        assert (each**2).mean() == pytest.approx(mean_variance(aperture / noise.times).sum(), abs=2.0 * five)
    expected = (weight**2 * np.exp(-gap / noise.times)).sum()
    assert (drawn[0] * drawn[1]).mean() == pytest.approx(expected, abs=2.0 * five)


@pytest.mark.thorough
def test_the_spectrum_has_a_slope_of_minus_one():
    noise = flicker(replace(QUIET, read_noise=1.0), 200)
    step, length = 1e-3, 4096
    series = np.array([noise.average((0, ALL), k * step, step) for k in range(length)])
    power = (np.abs(np.fft.rfft(series * np.hanning(length)[:, None], axis=0)) ** 2).mean(axis=1)
    frequency = np.fft.rfftfreq(length, step)
    band = (frequency > 1.0) & (frequency < 100.0)
    slope = np.polyfit(np.log(frequency[band]), np.log(power[band]), 1)[0]
    assert slope == pytest.approx(-1.0, abs=0.07)


# --- random telegraph noise ---


@pytest.mark.parametrize("steps", [1, 50])
def test_a_trap_has_two_levels_and_exact_transitions(steps):
    noise = telegraph()
    before = noise.average(ALL, 0.0, 0.0)[0] > 0.0
    for step in range(1, steps + 1):
        after = noise.average(ALL, 0.7 * TAU * step / steps, 0.0)[0] > 0.0
    p = noise.occupancy[1:]
    assert np.mean(after) == pytest.approx(p.mean(), abs=0.01)
    stays = p + (1.0 - p) * np.exp(-0.7)  # P(up | up)
    assert np.mean(after[before]) == pytest.approx(stays[before].mean(), abs=0.015)
    rises = p * (1.0 - np.exp(-0.7))  # P(up | down)
    assert np.mean(after[~before]) == pytest.approx(rises[~before].mean(), abs=0.015)


def test_a_trap_has_the_preset_amplitude_and_no_mean():
    deviation = telegraph().average(ALL, 3.0, 0.0)
    assert deviation.std() == pytest.approx(1.0, rel=0.02)
    assert abs(deviation.mean()) < 0.02
    one = telegraph(count=1)
    seen = {round(float(one.average((0, 0), 10.0 * TAU * k, 0.0)), 6) for k in range(200)}
    assert len(seen) == 2
    assert max(seen) - min(seen) == pytest.approx(one.step[1], rel=1e-5)


@pytest.mark.thorough
@pytest.mark.parametrize("x", [1e-3, 1.0, 30.0])
def test_a_long_aperture_averages_a_trap(x):
    noise, brute = telegraph(), telegraph(seed=2)
    steps = max(int(20 * x), 20)
    mean = noise.average(ALL, 0.0, x * TAU)
    path = sum(brute.average(ALL, x * TAU * (k + 0.5) / steps, 0.0) for k in range(steps)) / steps
    assert mean.var() == pytest.approx(mean_variance(x), rel=0.04)
    assert mean.var() == pytest.approx(path.var(), rel=0.05)


def test_a_trap_goes_on_during_an_aperture():
    noise = telegraph()
    before = noise.average(ALL, 0.0, 0.0)
    noise.average(ALL, 0.0, TAU)
    assert correlation(before, noise.average(ALL, TAU, 0.0)) == pytest.approx(np.exp(-1.0), abs=0.02)


def test_only_the_preset_share_of_cells_has_a_trap():
    array = read_array(replace(RELAXING, read_noise=0.0, relaxation=0.0, drift=0.0, white_noise=0.0), N)
    moving = array.read(ALL) != array.conductance()
    assert moving.mean() == pytest.approx(RELAXING.rtn_share, rel=0.1)


MEASURED = replace(
    TRAP, rtn_asymmetry=0.5, rtn_spread=0.7
)  # dwell times and steps as relaxing cells have them


@pytest.mark.thorough
def test_a_trap_stays_up_and_down_for_its_mean_dwell_times():
    noise = telegraph(replace(MEASURED, rtn_asymmetry=0.3), count=1000)
    up, down = dwell_times(noise, noise._slot[0])
    step = TAU / 40
    states = np.array([noise.average(ALL, k * step, 0.0)[0] > 0.0 for k in range(4000)])
    for here, expected in ((states, up), (~states, down)):
        leaves = (here[:-1] & ~here[1:]).sum(axis=0)
        often = leaves > 10
        assert often.sum() > 900
        stayed = step * here.sum(axis=0)[often] / leaves[often]
        assert np.median(stayed / expected[often]) == pytest.approx(1.0, abs=0.04)
        assert np.corrcoef(np.log(stayed), np.log(expected[often]))[0, 1] > 0.8


def test_dwell_times_and_steps_are_spread_over_cells():
    noise = telegraph(MEASURED)
    trap = noise._slot[0]
    up, down = dwell_times(noise, trap)
    assert np.log10(up / down).std() == pytest.approx(0.5, rel=0.02)
    assert abs(np.log10(up / down).mean()) < 0.01
    np.testing.assert_allclose(1.0 / up + 1.0 / down, 1.0 / noise.times[trap])
    assert np.log(noise.step[trap]).std() == pytest.approx(0.7, rel=0.02)
    assert (noise.step[trap] ** 2).mean() == pytest.approx(4.0, rel=0.1)


@pytest.mark.parametrize("steps", [1, 20])
def test_unequal_dwell_times_are_exact_over_any_step(steps):
    noise = telegraph(MEASURED)
    before = noise.average(ALL, 0.0, 0.0)
    for step in range(1, steps + 1):
        after = noise.average(ALL, TAU * step / steps, 0.0)
    trap = noise._slot[0]
    variance = noise.step[trap] ** 2 * noise.occupancy[trap] * (1.0 - noise.occupancy[trap])
    assert after.var() == pytest.approx(variance.mean(), rel=0.05)
    assert (before * after).mean() == pytest.approx(np.exp(-1.0) * variance.mean(), rel=0.08)


# --- cells ---


def read_array(preset: CellPreset, count: int) -> CellArray:
    same = replace(
        preset,
        set_cycle_spread=0.0,
        set_device_spread=0.0,
        forming_spread=0.0,
        stuck_on=0.0,
        stuck_off=0.0,
        landing=0.0,
        landing_share=0.0,
    )
    clock = VirtualClock()
    array = CellArray(1, count, same, clock, np.random.default_rng(3))
    array.set_cells(ALL, 4.3, 10e-6, 0.8 + 20 / 35)
    return array


AT_20_US = RELAXING.read_noise / (1.0 + 20e-6 / RELAXING.noise_full)


@pytest.mark.parametrize(("preset", "sd"), [(QUIET, 0.01), (PKU, 0.004), (RELAXING, AT_20_US)])
def test_a_cell_without_traps_reads_with_the_preset_noise(preset, sd):
    array = read_array(replace(preset, rtn_share=0.0, relaxation=0.0, drift=0.0), 5000)
    relative = array.read(ALL, aperture=1e-7) / array.conductance() - 1.0
    assert relative.std() == pytest.approx(sd, rel=0.05)
    assert abs(relative.mean()) < 4 * sd / np.sqrt(5000)


def test_a_cell_with_a_trap_reads_with_a_tenth():
    array = read_array(replace(QUIET, rtn_share=1.0, relaxation=0.0, drift=0.0), 5000)
    assert (array.read(ALL, aperture=1e-6) / array.conductance()).std() == pytest.approx(0.1, rel=0.05)


def test_noise_grows_with_a_small_conductance_and_no_more_with_a_large_one():
    preset = replace(QUIET, noise_full=10e-6, rtn_share=0.0, relaxation=0.0, drift=0.0, white_noise=0.0)
    array = read_array(preset, N)
    for level, sd in ((0.1e-6, 0.1e-6 / 1.01), (10e-6, 5e-6), (1000e-6, 1000e-6 / 101)):
        array.fix(ALL, level)
        expected = preset.read_noise * sd
        assert array.read(ALL, aperture=1e-7).std() == pytest.approx(expected, rel=0.02)
        assert array.noise_split(ALL, 0.0, 1e-6)[0].std() == pytest.approx(expected, rel=0.02)
        frozen, fast = array.relative_noise(ALL, 1e-2, 1e-6)
        spread = np.sqrt(frozen.var() + fast.mean())
        assert spread * level == pytest.approx(expected, rel=0.03)
        np.testing.assert_allclose(array.noise_split(ALL, 1e-2, 1e-6)[1], level**2 * fast, rtol=1e-6)


def test_ideal_cells_read_as_they_are():
    array = read_array(IDEAL, 10)
    np.testing.assert_array_equal(array.read(ALL), array.conductance())
    assert array.read((0, 3)) == array.conductance((0, 3))


def test_reads_close_together_are_alike_and_far_apart_are_not():
    array = read_array(replace(QUIET, relaxation=0.0, drift=0.0, rtn_share=0.0), 5000)
    clock = array._clock
    first = array.read(ALL)
    clock.advance(1e-3)
    soon = array.read(ALL)
    clock.advance(1e7)
    late = array.read(ALL)
    assert correlation(first, soon) > 0.7
    assert abs(correlation(first, late)) < 0.06


def test_one_cell_and_a_block_read_the_same_noise():
    one, block = (read_array(replace(QUIET, relaxation=0.0, drift=0.0, rtn_share=0.0), 64) for _ in range(2))
    for array in (one, block):
        array.read(ALL)
    single = np.array([one.read((0, c)) for c in range(64)])
    together = block.read((0, np.arange(64)))
    assert correlation(single, together) > 0.8  # the slow part, which both remember


def test_a_longer_aperture_reads_more_quietly():
    def spread(aperture):
        array = read_array(replace(QUIET, relaxation=0.0, drift=0.0, rtn_share=0.0), 5000)
        return (array.read(ALL, aperture=aperture) / array.conductance()).std()

    assert spread(1e-6) > 1.1 * spread(1e-2) > 1.2 * spread(10.0)


def test_white_noise_is_thermal_at_low_voltage_and_shot_noise_at_high():
    kT = BOLTZMANN * 300.0 * ELEMENTARY
    assert white_variance(1e-4, 1e-3, 300.0) == pytest.approx(4 * kT * 500.0 / 1e-4**2, rel=1e-4)
    assert white_variance(2.0, 1e-3, 300.0) == pytest.approx(2 * ELEMENTARY * 500.0 / 2.0, rel=1e-4)
    white = replace(IDEAL, white_noise=1.0)
    array = read_array(white, 5000)
    noise = array.read(ALL, aperture=1e-6, voltage=0.05) - array.conductance()
    expected = np.sqrt(white_variance(0.05, 1e-6, array.temperature) * 20e-6)
    assert noise.std() == pytest.approx(expected, rel=0.04)


def test_at_zero_volts_the_current_is_thermal_noise_alone():
    array = read_array(replace(IDEAL, white_noise=1.0), 5000)
    current = 1e-9 * array.read(ALL, aperture=1e-3, voltage=1e-9)  # as 1 uV, so a thousandth of it
    expected = np.sqrt(4 * BOLTZMANN * array.temperature * ELEMENTARY * 20e-6 * 500.0) * 1e-3
    assert current.std() == pytest.approx(expected, rel=0.05)
    assert np.isfinite(array.read(ALL, voltage=0.0)).all()


def test_a_batch_splits_the_noise_without_losing_any():
    array = read_array(replace(QUIET, relaxation=0.0, drift=0.0, rtn_share=0.5), 20000)
    g = array.conductance()
    frozen, fast = array.noise_split(ALL, window=1e-2, shot=1e-9)
    total = array.read(ALL, aperture=1e-9, voltage=5.0)  # a read wide awake: no averaging
    white = white_variance(5.0, 1e-9, array.temperature) * g.mean()
    assert (frozen - g).var() + fast.mean() == pytest.approx((total - g).var() - white, rel=0.05)
    assert array.noise_split(ALL, 1e-2, 1e-3)[1].mean() < fast.mean()
    assert (array.noise_split(ALL, 1e-9, 1e-3)[1] == 0.0).all()


def test_what_is_frozen_stays_over_the_window():
    array = read_array(replace(QUIET, relaxation=0.0, drift=0.0, rtn_share=0.0), 5000)
    window = 1e-3
    first = array.noise_split(ALL, window, 1e-6)[0]
    array._clock.advance(window)
    assert correlation(first, array.noise_split(ALL, window, 1e-6)[0]) > 0.85
    np.testing.assert_allclose(
        array.noise_split(ALL, window, 1e-6)[0], array.noise_split(ALL, window, 1e-6)[0], rtol=1e-6
    )


def test_single_cells_split_as_blocks_do():
    array = read_array(replace(QUIET, rtn_share=1.0), 4)
    frozen, fast = array.noise_split((0, 2), 1e-3, 1e-6)
    assert np.ndim(frozen) == np.ndim(fast) == 0
    assert fast > 0.0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"voltage": -np.inf}, "voltage = -inf V"),
        ({"voltage": np.nan}, "voltage = nan V"),
        ({"aperture": 0.0}, "aperture = 0.0 s"),
        ({"aperture": np.inf}, "aperture = inf s"),
    ],
)
def test_a_read_that_cannot_be_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        read_array(IDEAL, 2).read(ALL, **settings)
