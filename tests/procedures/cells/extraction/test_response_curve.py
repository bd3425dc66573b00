"""The curve of a response: both ends of its family are found, and intervals hold the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import t as student

from mho.chip_maps.levels import Levels
from mho.procedures.cells.extraction.response_curve import deviations_from, fit_response, spread_of
from mho.procedures.cells.switching.response import V_SL, V_WL, WIDTH, analyse

DEVICE, CYCLE = 0.061, 0.056  # decades
BOTTOM = 0.36e-6
SCALE = Levels.from_values(
    [0.37e-6, 5e-6, 10e-6, 15e-6, 20e-6, 25e-6, 30e-6, 35e-6],
    tolerance=1.2e-6, spread=0.65e-6, zero_range=(0.2e-6, 0.5e-6), zero_limit=0.6e-6,
)  # fmt: skip


def ramp(gate, factor):
    return np.minimum(35e-6 * np.maximum(gate - 0.8, 0.0) * factor, 60e-6)


def logistic(gate, factor):
    return 190e-6 * factor / (1.0 + np.exp(-(gate - 2.4) / 0.1))


def series(law, gates, rng, cells=24, repeats=2, device=DEVICE, cycle=CYCLE):
    """Responses of cells, (cells, repeats, points), with spreads as measured chips have them."""
    factor = 10.0 ** rng.normal(0.0, device, (cells, 1, 1))
    scatter = 10.0 ** rng.normal(0.0, cycle, (cells, repeats, len(gates)))
    return np.maximum(law(gates, factor) * scatter, BOTTOM)


def flat(gates, responses):
    cells, repeats, points = responses.shape
    return np.tile(gates, cells * repeats), responses.ravel(), np.repeat(np.arange(cells), repeats * points)


@pytest.mark.parametrize(
    ("law", "low", "high", "slope", "threshold", "top"),
    [
        (ramp, 0.85, 3.0, 35e-6, 0.81, 60e-6),
        (ramp, 0.85, 2.0, 35e-6, 0.81, None),
        (logistic, 1.8, 3.2, 475e-6, 2.2, 190e-6),
    ],
)
def test_threshold_slope_and_top_are_those_of_the_law(law, low, high, slope, threshold, top):
    gates = np.linspace(low, high, 40)
    curve = fit_response(
        *flat(gates, series(law, gates, np.random.default_rng(1), cycle=1e-3, device=1e-3)), BOTTOM
    )
    assert curve.slope.value == pytest.approx(slope, rel=0.02)
    assert curve.threshold.value == pytest.approx(threshold, abs=0.01)
    assert curve.saturates == (top is not None)
    if top is not None:
        assert curve.top.value == pytest.approx(top, rel=0.02)
    some = 0.5 * (curve(gates)[0] + curve(gates)[-1])
    assert curve(np.array([curve.inverse(some)]))[0] == pytest.approx(some, rel=1e-6)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("law", "low", "high", "slope"), [(ramp, 0.85, 2.4, 35e-6), (logistic, 1.8, 3.2, 475e-6)]
)
def test_intervals_hold_the_slope_as_often_as_they_say(law, low, high, slope):
    gates, rng = np.linspace(low, high, 21), np.random.default_rng(2)
    held, widths = 0, []
    for _ in range(30):
        found = fit_response(*flat(gates, series(law, gates, rng)), BOTTOM).slope
        held += found.low <= slope <= found.high
        widths.append((found.high - found.low) / found.value)
    assert held >= 25  # 28.5 are expected of 30
    assert np.median(widths) < 0.2


def test_readings_of_one_cell_do_not_count_as_many_cells():
    gates, rng = np.linspace(0.85, 2.0, 21), np.random.default_rng(3)
    few = fit_response(*flat(gates, series(ramp, gates, rng, cells=6, repeats=20)), BOTTOM).slope
    many = fit_response(*flat(gates, series(ramp, gates, rng, cells=120, repeats=1)), BOTTOM).slope
    assert few.high - few.low > 2.5 * (many.high - many.low)


@pytest.mark.thorough
@pytest.mark.parametrize("cells", [6, 40])
def test_an_interval_is_no_narrower_than_fits_without_some_of_the_cells_tell(cells):
    """The same by fits from the beginning: of each group of cells left out, with a degree of freedom for the weights."""
    gates, rng = np.linspace(1.8, 3.2, 21), np.random.default_rng(7)
    x, y, cell = flat(gates, series(logistic, gates, rng, cells=cells))
    found, groups = fit_response(x, y, cell, BOTTOM), min(cells, 16)
    rest = [cell % groups != one for one in range(groups)]
    others = [fit_response(x[some], y[some], cell[some], BOTTOM) for some in rest]
    for name in ("threshold", "slope", "top"):
        values = np.array([getattr(one, name).value for one in others])
        half = student.ppf(0.975, groups - 2) * math.sqrt((groups - 1) * values.var())
        number = getattr(found, name)
        assert number.high - number.value >= 0.98 * half, name
        assert number.high - number.value == pytest.approx(number.value - number.low)


def test_the_spreads_of_devices_and_cycles_are_told_apart():
    gates = np.linspace(0.85, 2.0, 21)
    x, y, cell = flat(gates, series(ramp, gates, np.random.default_rng(4), cells=150))
    used, deviation = deviations_from(fit_response(x, y, cell, BOTTOM), x, y)
    spread = spread_of(deviation, cell[used])
    assert spread.device == pytest.approx(DEVICE, rel=0.15)
    assert spread.cycle == pytest.approx(CYCLE, rel=0.05)


def test_stuck_cells_hardly_move_the_curve():
    gates = np.linspace(0.85, 2.4, 21)
    responses = series(ramp, gates, np.random.default_rng(5), cells=40, device=0.02, cycle=0.02)
    clean = fit_response(*flat(gates, responses), BOTTOM).slope.value
    responses[:3] = 60e-6
    assert fit_response(*flat(gates, responses), BOTTOM).slope.value == pytest.approx(clean, rel=0.05)


@pytest.mark.parametrize("level", [0.0, 1e-6])
def test_cells_that_do_not_respond_have_no_curve(level):
    gates = np.linspace(0.85, 2.4, 21)
    responses = BOTTOM * 10.0 ** np.random.default_rng(6).normal(level, 0.05, (10, 2, 21))
    assert fit_response(*flat(gates, responses), BOTTOM) is None


@pytest.mark.thorough
def test_the_coarse_line_reaches_the_levels_on_either_law():
    for law, low, high, worst in ((ramp, 0.85, 2.4, 0.3e-6), (logistic, 1.8, 3.2, 7e-6)):
        gates = np.linspace(low, high, 31)
        found = analyse(
            V_WL,
            gates,
            np.full((30, 1, 31), BOTTOM),
            series(law, gates, np.random.default_rng(7), 30, 1, 0.001, 0.001),
            SCALE,
        ).summary
        wanted = SCALE.nominal[1:]
        at_line = law(found["set_offset"] + wanted / found["set_slope"], 1.0)
        assert np.abs(at_line - wanted).max() < worst
        assert np.abs(law(np.array(found["gates_of_levels"]), 1.0) - wanted).max() < 0.5e-6


def test_a_reset_is_fitted_in_the_logarithm_and_widths_in_decades():
    volts, rng = np.linspace(0.5, 3.0, 26), np.random.default_rng(8)
    before = 30e-6 * 10.0 ** rng.normal(0.0, 0.05, (20, 2, 26))
    drop = 2.5 * np.maximum(volts - 0.9, 0.0)
    found = analyse(V_SL, volts, before, np.maximum(before * np.exp(-drop), 0.36e-6), SCALE)
    assert found.summary["slope"] == pytest.approx(2.5, rel=0.03)
    assert found.summary["threshold"] == pytest.approx(0.9, abs=0.02)
    assert found.summary["floor"] == pytest.approx(0.36e-6, rel=0.1)
    assert found.units["slope"] == "1/V"
    widths = np.geomspace(1e-9, 1e-5, 30)
    after = np.tile(28e-6 * -np.expm1(-widths / 40e-9) + BOTTOM, (5, 1, 1))
    by_width = analyse(WIDTH, widths, np.full_like(after, BOTTOM), after, SCALE)
    assert 4e-9 < by_width.summary["threshold"] < 20e-9
    assert by_width.summary["top"] == pytest.approx(28.4e-6, rel=0.02)
    assert by_width.units["threshold"] == "s"


def test_one_cell_alone_has_intervals_and_no_spread_of_devices():
    gates = np.linspace(0.85, 2.0, 21)
    responses = series(ramp, gates, np.random.default_rng(9), cells=1, repeats=5)
    found = analyse(V_WL, gates, np.full_like(responses, BOTTOM), responses, SCALE).summary
    assert found["slope_low"] < found["slope"] < found["slope_high"]
    assert found["device_spread"] is None
    assert math.isfinite(found["cycle_spread"])
