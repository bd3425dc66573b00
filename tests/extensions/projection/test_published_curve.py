"""The published throughput, and what the same model says of blocks and of the headline."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mho.extensions.projection import (
    PRESETS,
    PUBLISHED,
    PUBLISHED_POINTS,
    PUBLISHED_SIZES,
    PUBLISHED_THROUGHPUT,
    published_deviations,
)
from mho.extensions.projection.digital import gpu, new_matrix, refined_kept, refined_new
from mho.extensions.projection.model import (
    FASTER,
    MEASURED,
    cost_in_blocks,
    cost_in_one_loop,
    cycles,
    in_blocks,
    shots,
    solve_operations,
)
from mho.extensions.projection.readings import headline, readings, rivals

PARAMETERS = PUBLISHED.parameters


@pytest.mark.parametrize(("size", "published"), list(zip(PUBLISHED_SIZES, PUBLISHED_THROUGHPUT, strict=True)))
def test_the_published_throughput_is_met_at_every_size(size: int, published: float) -> None:
    assert cost_in_one_loop(size, PARAMETERS).throughput == pytest.approx(published, rel=0.005)


@pytest.mark.parametrize("one", PUBLISHED_POINTS, ids=lambda one: f"{one.words} {one.size}")
@pytest.mark.parametrize("name", ["published", "fast"])
def test_every_published_point_is_met_with_its_own_times(one, name: str) -> None:
    assert one.model(PRESETS[name].parameters) == pytest.approx(one.value, rel=0.005)
    assert one.deviation(PRESETS[name].parameters) == pytest.approx(one.model(PARAMETERS) / one.value - 1.0)


def test_the_points_of_energy_are_two_sizes_and_two_kinds_of_amplifiers() -> None:
    points = [one for one in PUBLISHED_POINTS if one.quantity == "energy"]
    known = [(one.size, one.times, one.value) for one in points]
    assert known == [(32, MEASURED, 103e-9), (128, MEASURED, 529e-9), (128, FASTER, 125e-9)]
    assert published_deviations(PUBLISHED, "energy") == [one.deviation(PARAMETERS) for one in points]
    assert len(published_deviations(PUBLISHED)) == len(PUBLISHED_SIZES)


def test_power_and_voltage_are_the_least_squares_fit_to_the_published_energies() -> None:
    points = [one for one in PUBLISHED_POINTS if one.quantity == "energy"]
    parts = [one.cost(PARAMETERS) for one in points]
    relative = np.array([one.value for one in points])
    matrix = np.array([[one.amplifiers, one.cells] for one in parts]) / relative[:, None]
    rest = 1.0 - np.array([float(one.conversions + one.adding) for one in parts]) / relative
    power, cells = np.linalg.lstsq(matrix, rest, rcond=None)[0]
    assert power == pytest.approx(1.0, abs=0.002)
    assert np.sqrt(cells) == pytest.approx(1.0, abs=0.002)
    alone = np.linalg.lstsq(matrix[:, :1], rest, rcond=None)[0]
    assert np.abs(matrix[:, :1] @ alone - rest).max() > 0.1  # without what cells take


def test_one_time_explains_the_published_curve_and_it_is_eight_cycles_of_inv_and_mvm() -> None:
    times = solve_operations(PUBLISHED_SIZES) / np.array(PUBLISHED_THROUGHPUT)
    assert np.ptp(times) / times.mean() < 0.01  # the count of operations has the right shape in N
    assert cycles(PARAMETERS) == 8
    assert shots(PARAMETERS) == 1
    assert cost_in_one_loop(4, PARAMETERS).time == pytest.approx(8 * (120e-9 + 60e-9 + 2 * 6.6e-9))


def test_operations_are_those_of_cholesky_counted_one_by_one() -> None:
    for size in (1, 2, 5, 9):
        counted = 0
        for k in range(size):
            counted += 1  # the root
            below = size - 1 - k
            counted += below  # divisions
            counted += below * (below + 1)  # multiplications and subtractions of the lower triangle
        counted += 2 * (size + size * (size - 1))  # two triangular systems: divisions, and both of each entry
        assert solve_operations(size) == pytest.approx(counted)


def test_blocks_take_the_calls_of_the_recursion() -> None:
    def inversions(size: int, loop: int) -> int:
        return 1 if size <= loop else 3 * inversions(size // 2, loop)

    def products(size: int, loop: int) -> int:
        """In blocks of the loop: two of half the size a stage, and three inverses of half the size."""
        if size <= loop:
            return 0
        return 2 * (size // 2 // loop) ** 2 + 3 * products(size // 2, loop)

    for size in (32, 64, 128, 1024):
        calls = in_blocks(size, 32)
        assert calls.inversions == pytest.approx(inversions(size, 32))
        assert calls.products == pytest.approx(products(size, 32) + (size // 32) ** 2)


@pytest.mark.parametrize("size", [64, 128])
def test_the_block_curve_is_the_same_formula_with_the_calls_of_blocks(size: int) -> None:
    calls = in_blocks(size, 32)
    time = 8 * (calls.inversions * 126.6e-9 + calls.products * 66.6e-9)
    found = cost_in_blocks(size, PARAMETERS)
    assert found.time == pytest.approx(time)
    assert found.throughput == pytest.approx(solve_operations(size) / time)
    assert cost_in_blocks(32, PARAMETERS).time == cost_in_one_loop(32, PARAMETERS).time


def test_readings_at_32_unknowns_are_those_of_data_sheets_and_paper() -> None:
    found = {one.key: one for one in readings(32, PUBLISHED)}
    assert found["gpu_new_a"].rate == pytest.approx(0.77e9, rel=0.005)
    assert found["gpu_new_a"].joules == pytest.approx(909e-9, rel=0.005)
    assert found["gpu_kept_a"].rate == pytest.approx(13e9, rel=0.01)
    assert found["gpu_kept_a"].joules == pytest.approx(53e-9, rel=0.01)
    assert found["circuit"].rate == pytest.approx(0.64e6, rel=0.02)
    assert found["circuit"].joules == pytest.approx(103e-9, rel=0.005)
    assert found["gpu_new_a"].joules / found["circuit"].joules == pytest.approx(9, rel=0.03)
    assert found["circuit"].joules / found["gpu_kept_a"].joules == pytest.approx(2, rel=0.05)


def test_a_core_is_as_many_times_slower_as_there_are_cores_at_the_same_energy() -> None:
    found = {one.key: one for one in readings(64, PUBLISHED)}
    for kind in ("new_a", "kept_a"):
        assert found[f"gpu_{kind}"].rate / found[f"core_{kind}"].rate == pytest.approx(16896)
        assert found[f"gpu_{kind}"].joules == found[f"core_{kind}"].joules


def test_a_thousand_times_is_one_core_against_amplifiers_that_nobody_measured() -> None:
    told = headline(PUBLISHED)
    assert 600 < told.over_core < told.without_converters
    assert told.without_converters == pytest.approx(1000, rel=0.05)
    assert told.as_assumed == pytest.approx(4.8e11 / 3.2e9, rel=0.01)
    assert told.over_gpu_kept < told.over_gpu_new < 0.1
    fast = replace(PARAMETERS, inv_time=20e-9, mvm_time=10e-9)
    assert told.throughput == cost_in_one_loop(128, fast).throughput
    assert "16,896 cores" in told.sentence
    assert f"{told.over_core:.0f} times" in told.sentence


def test_energy_of_the_headline_stands_beside_the_published_one() -> None:
    told = headline(PUBLISHED)
    assert told.energy == pytest.approx(125e-9, rel=0.005)
    assert told.published_efficiency == pytest.approx(float(solve_operations(128)) / 125e-9 / 4.9e10)
    assert told.efficiency == pytest.approx(told.published_efficiency, rel=0.005)
    assert "126 nJ (published: 125 nJ), 120 times" in told.sentence
    assert "(published: 121)" in told.sentence


@pytest.mark.parametrize(
    ("words", "memory", "rate", "power"),
    [
        ("H100 in FP64", 3.35e12, 34e12, 700),
        ("H100 in FP64 on tensor cores", 3.35e12, 67e12, 700),
        ("H100 in emulated FP64", 3.35e12, 80.2e12, 700),
        ("GH200 in FP64", 4.0e12, 34e12, 1000),
        ("GH200 in FP64 on tensor cores", 4.0e12, 67e12, 1000),
        ("GH200 in emulated FP64", 4.0e12, 80.2e12, 1000),
    ],
)
@pytest.mark.parametrize("size", [32, 128, 1024])
def test_a_processor_in_double_precision_is_held_up_by_eight_bytes_or_by_its_rate(
    words: str, memory: float, rate: float, power: float, size: int
) -> None:
    one = {rival.words: rival for rival in rivals(size, PUBLISHED)}[words]
    new = max(8 * (size**2 + 2 * size) / memory, float(solve_operations(size)) / rate)
    kept = max(8 * 2 * size / memory, 2 * size**2 / rate)
    assert (one.new.seconds, one.new.joules) == (pytest.approx(new), pytest.approx(new * power))
    assert (one.kept.seconds, one.kept.joules) == (pytest.approx(kept), pytest.approx(kept * power))
    assert one.cores == 16896


def test_refinement_after_a_factorisation_in_fp16_gains_only_where_arithmetic_decides() -> None:
    whole = gpu(PARAMETERS)
    assert (
        refined_new(128, PARAMETERS).seconds
        == new_matrix(128, whole).seconds
        == pytest.approx(4 * 16640 / 3.35e12)
    )
    size = 4096  # 24 bits at 10 a cycle: three cycles
    seconds = size**3 / 3 / 989e12 + 3 * 4 * size**2 / 67e12
    assert refined_new(size, PARAMETERS).seconds == pytest.approx(seconds)
    assert refined_new(size, PARAMETERS).joules == pytest.approx(seconds * 700)
    kept = 3 * 2 * 128**2 * (1 / 989e12 + 1 / 67e12)
    assert refined_kept(128, PARAMETERS).seconds == pytest.approx(kept)
    last = rivals(size, PUBLISHED)[-1]
    assert (last.words, last.new.seconds) == (
        "H100 in FP16 on tensor cores and refinement",
        pytest.approx(seconds),
    )


def test_without_converters_the_fast_preset_is_six_times_the_published_one() -> None:
    slow, fast = (replace(PRESETS[name].parameters, conversion_time=0.0) for name in ("published", "fast"))
    assert cost_in_one_loop(16, slow).time / cost_in_one_loop(16, fast).time == pytest.approx(6.0)
