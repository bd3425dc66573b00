"""Costs, limits, crossings, bars and bands: closed forms and what always holds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho.errors import InputError
from mho.extensions.projection import PRESETS, PUBLISHED
from mho.extensions.projection.digital import Processor, gpu, inversion, kept_matrix, new_matrix
from mho.extensions.projection.model import cost_in_blocks, cost_in_one_loop
from mho.extensions.projection.projecting import band, draw, least_feedback, settling_time, tornado
from mho.extensions.projection.readings import break_even, circuits_on, crossing

PARAMETERS = PUBLISHED.parameters
SIZES = st.sampled_from([32, 64, 128, 512])
NAMES = sorted(PRESETS)
COSTLY = [
    "adding_energy", "amplifier_power", "bits", "conversion_energy", "conversion_time", "idle_share", "inv_amplifiers",
    "inv_time", "line_groups", "mean_conductance", "mvm_time", "read_voltage", "vector_slices",
]  # fmt: skip
positive = st.floats(1e-12, 1e3)


@given(SIZES, st.sampled_from(NAMES))
def test_energy_is_power_times_time_and_the_sum_of_its_parts(size: int, name: str) -> None:
    for cost in (cost_in_one_loop, cost_in_blocks):
        found = cost(size, PRESETS[name].parameters)
        assert found.energy == pytest.approx(found.power * found.time)
        assert found.energy == pytest.approx(
            found.amplifiers + found.conversions + found.adding + found.cells
        )
        assert found.efficiency == pytest.approx(found.throughput / found.power)


@given(st.sampled_from(COSTLY), st.floats(0.0, 1.0), st.floats(0.0, 1.0), SIZES)
def test_energy_never_falls_when_a_costly_assumption_grows(
    name: str, one: float, other: float, size: int
) -> None:
    assumed = PUBLISHED[name]
    few, many = (assumed.low + share * (assumed.high - assumed.low) for share in sorted((one, other)))
    low, high = (cost_in_blocks(size, PUBLISHED.at(name, value)).energy for value in (few, many))
    assert low <= high * (1 + 1e-12)


def test_amplifiers_that_wait_at_full_power_take_all_of_them_all_the_time() -> None:
    found = cost_in_one_loop(16, replace(PARAMETERS, idle_share=1.0))
    amplifiers = 17 + 8 * 16  # INV with its bias column, and eight slices of MVM
    assert found.amplifiers == pytest.approx(amplifiers * 0.529e-3 * float(found.time))


def test_a_matrix_takes_its_cells_pulses_and_time() -> None:
    found = cost_in_one_loop(32, PARAMETERS)
    cells = 2 * (8 + 1) * 32**2
    assert found.cells_written == cells
    assert found.write_energy == pytest.approx(cells * 2.5 * 30e-12)
    assert found.write_time == pytest.approx(cells / 32 * 2.5 * 1e-6)


def test_draws_are_computed_as_arrays_exactly_as_one_by_one() -> None:
    drawn = draw(PUBLISHED, np.random.default_rng(3), 50)
    together = np.asarray(cost_in_one_loop(64, drawn).energy)
    single = [
        float(
            cost_in_one_loop(
                64, replace(drawn, **{n: np.ravel(v)[i] for n, v in vars(drawn).items() if np.ndim(v)})
            ).energy
        )
        for i in (0, 17, 49)
    ]
    np.testing.assert_allclose(together[[0, 17, 49]], single)


@given(st.sampled_from([4, 32, 100, 128]))
def test_a_faster_processor_is_never_slower_and_keeping_a_matrix_pays(size: int) -> None:
    whole = gpu(PARAMETERS)
    double = Processor(2 * whole.memory_rate, 2 * whole.rate, whole.power, whole.cores)
    for reading in (new_matrix, kept_matrix, inversion):
        assert reading(size, double).seconds == pytest.approx(reading(size, whole).seconds / 2)
    assert kept_matrix(size, whole).seconds < new_matrix(size, whole).seconds


@given(positive, positive, positive, positive)
def test_a_crossing_really_crosses(setup: float, each: float, other_setup: float, other_each: float) -> None:
    found = float(crossing(setup, each, other_setup, other_each))
    if np.isinf(found):
        assert each >= other_each
        return
    assert found >= 1.0
    after = found * (1 + 1e-6) + 1e-6
    assert setup + after * each <= (other_setup + after * other_each) * (1 + 1e-9)
    if found > 1.0 + 1e-6:
        before = found * (1 - 1e-6)
        assert setup + before * each >= (other_setup + before * other_each) * (1 - 1e-9)


def test_break_even_is_never_against_a_kept_matrix_and_soon_against_a_new_one() -> None:
    found = break_even(32, PARAMETERS)
    assert np.isinf(found.energy)
    assert np.isinf(found.time)
    assert 1.0 < found.energy_of_new < 3.0
    assert np.isinf(found.time_of_core)  # a core that keeps a matrix of 32 makes more of them
    assert 1000 < break_even(128, PARAMETERS).time_of_core < 10_000
    ours, new = cost_in_one_loop(32, PARAMETERS), new_matrix(32, gpu(PARAMETERS))
    many = found.energy_of_new
    assert ours.write_energy + many * ours.energy == pytest.approx(many * new.joules)
    assert circuits_on(PARAMETERS, ours) == np.floor(814e-6 / float(ours.area))


def test_the_tornado_is_sorted_and_leaves_out_what_changes_nothing() -> None:
    bars = tornado(lambda p: float(cost_in_one_loop(32, p).energy), PUBLISHED)
    spans = [bar.span for bar in bars]
    assert spans == sorted(spans, reverse=True)
    assert bars[0].name == "amplifier_power"
    names = {bar.name for bar in bars}
    assert "gpu_power" not in names
    assert {"inv_time", "mvm_time", "bits"} <= names


def test_draws_keep_to_their_ranges_and_bands_hold_nine_tenths_of_them() -> None:
    drawn = draw(PUBLISHED, np.random.default_rng(0), 4000)
    for name, one in PUBLISHED.items():
        values = np.asarray(getattr(drawn, name))
        assert one.low <= values.min() <= values.max() <= one.high, name
        if one.whole:
            np.testing.assert_array_equal(values, np.round(values))
    values = np.asarray(drawn.inv_time)
    found = band(lambda p: p.inv_time, drawn)
    assert np.mean((values >= found.low) & (values <= found.high)) == pytest.approx(0.9, abs=0.01)
    assert np.median(np.log(values)) == pytest.approx(np.log(found.median))


def test_settling_follows_the_smallest_eigenvalue_and_the_square_root_of_the_bandwidth() -> None:
    assert settling_time(5e-6, 300e6, 0.2e-12, 0.0) == pytest.approx(0.2e-12 / 5e-6 * np.log(100))
    assert settling_time(5e-6, 300e6, 0.0, 1e-4) == pytest.approx(
        1e-4 / (2 * np.pi * 300e6 * 5e-6) * np.log(100)
    )
    assert settling_time(10e-6, 300e6, 0.2e-12, 1e-4) == pytest.approx(
        settling_time(5e-6, 300e6, 0.2e-12, 1e-4) / 2
    )
    held = least_feedback(3e-12, 35e-6, 300e6)
    assert held == pytest.approx(0.236e-12, rel=0.01)
    assert least_feedback(3e-12, 35e-6, 4 * 300e6) == pytest.approx(held / 2)


@pytest.mark.parametrize("size", [33, 48, 96])
def test_blocks_of_a_size_that_cannot_be_halved_to_a_loop_are_refused(size: int) -> None:
    with pytest.raises(
        InputError, match=rf"size {size} is no power of two times the loop of 32 lines.*take (32|64|128)"
    ):
        cost_in_blocks(size, PARAMETERS)
