"""MVM and INV on programmed cells of the virtual bench: exact integers, trimmed wires, an inverse as good as its cells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from daily import daily
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from mho.chip_maps.checksums import checked_tiles
from mho.chip_maps.chip import parse_chip_map
from mho.chip_maps.multiply_encoding import to_fixed_point
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.errors import ConvergenceError, InputError
from mho.instruments import Bench, open_bench
from mho.instruments.simulated.clock import VirtualClock
from mho.procedures.cells.programming.programmer import Programmer
from mho.procedures.equations.circuits.loop_on_cells import LINEAR, AnalogueInverse
from mho.procedures.equations.circuits.products import REPEATS, SlicedProduct
from mho.procedures.equations.circuits.tiles import fit_trim
from mho.procedures.equations.planning.loop_choice import LoopSetup
from mho.procedures.equations.planning.solve_plan import SolvePlan, plan_solve

VOLTS = 0.2
STEP = 5e-6
MATRIX = np.eye(6) + 0.25 * np.random.default_rng(3).standard_normal((6, 6))


class Silent:
    """A stream that keeps nothing."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.rows = 0

    def now(self) -> float:
        return self.clock.now

    def check(self) -> None: ...

    def record(self, table: str, **values: object) -> None:
        self.rows += 1

    def snapshot(self, *_: object) -> None: ...

    def progress(self, *_: object, **__: object) -> None: ...

    def pace(self, *_: object, **__: object) -> None: ...


def programmed(bench: Bench, encoding: str = "auto", bits: int = 9, matrix: np.ndarray = MATRIX) -> SolvePlan:
    chip = parse_chip_map(bench.chip_text)
    plan = plan_solve(
        LoopSetup.of(bench, chip, encoding),
        matrix,
        np.random.default_rng(1),
        slices=lambda held: (bits // 3, bits // 3),
    )
    arrays = [array.name for array in chip.arrays]
    Programmer(bench, Silent(), plan.levels, arrays, WriteVerifySettings()).program(plan.blocks())
    return plan


def product_of(bench: Bench, plan: SolvePlan) -> SlicedProduct:
    product = SlicedProduct(bench, plan.multiply, plan.tiles, plan.levels.step, VOLTS, checked=plan.checked)
    product.calibrate()
    return product


def inverse_of(bench: Bench, plan: SolvePlan) -> AnalogueInverse:
    return AnalogueInverse(bench, plan.cells, VOLTS)


@pytest.fixture(scope="module", params=daily(["ideal", "pku"], ["pku"]))
def ready(request: pytest.FixtureRequest) -> Iterator[SimpleNamespace]:
    with open_bench(preset=request.param, seed=5) as bench:
        plan = programmed(bench)
        yield SimpleNamespace(bench=bench, plan=plan, product=product_of(bench, plan), preset=request.param)


def test_products_are_exact_to_the_last_integer(ready):
    rng = np.random.default_rng(8)
    matrix = ready.plan.multiply.matrix
    before = ready.product.outputs
    for _ in range(4):
        vector = to_fixed_point(rng.standard_normal(6), 12)
        assert_allclose(ready.product(vector), matrix @ vector.values, rtol=1e-13, atol=1e-15)
    assert ready.product.outputs > before + 4 * 6 * ready.plan.multiply.digits.shape[1]
    assert ready.product.wrong == 0


def test_every_line_is_in_one_group(ready):
    assert_array_equal(np.sort(np.concatenate(ready.product.groups)), np.arange(6))


def test_the_inverse_is_that_of_the_cells_as_achieved(ready):
    achieved, rho = ready.plan.forecast(ready.bench.input_conductance)
    assert 0.0 < rho < 0.5
    inverse = inverse_of(ready.bench, ready.plan)
    rng = np.random.default_rng(9)
    for _ in range(4):
        residual = rng.standard_normal(6) * 10.0 ** rng.integers(-9, 9)
        answer = inverse(residual)
        near, exact = np.linalg.solve(achieved, residual), np.linalg.solve(MATRIX, residual)
        assert np.linalg.norm(answer - near) < 0.05 * np.linalg.norm(near)
        assert np.linalg.norm(answer - exact) < 0.3 * np.linalg.norm(exact)
        assert np.abs(inverse.last[0]).max() <= VOLTS
        assert np.abs(inverse.last[1]).max() < LINEAR


@pytest.mark.parametrize("encoding", daily(["bias", "differential"], ["bias"]))
def test_each_encoding_inverts_on_ideal_cells(encoding):
    with open_bench(preset="ideal", seed=2) as bench:
        plan = programmed(bench, encoding, bits=3)
        achieved, _ = plan.forecast(bench.input_conductance)
        residual = np.arange(1.0, 7.0)
        near = np.linalg.solve(achieved, residual)
        assert np.linalg.norm(inverse_of(bench, plan)(residual) - near) < 0.03 * np.linalg.norm(near)


def test_a_loop_that_rails_is_an_error_not_an_answer():
    with open_bench(preset="ideal", seed=2) as bench:
        plan = programmed(bench, "differential", bits=3)
        inverse = inverse_of(bench, plan)
        assert np.isfinite(inverse(np.ones(6))).all()
        # With the arrays exchanged and without the diagonal's resistors the loop has no resting point.
        cells, encoding = plan.cells, replace(plan.encoding, diagonal=0.0)
        exchanged = replace(cells, encoding=encoding, positive=cells.negative, negative=cells.positive)
        swapped = AnalogueInverse(bench, exchanged, VOLTS)
        with pytest.raises(ConvergenceError, match="the INV loop rails"):
            swapped(np.ones(6))


def test_check_columns_must_be_those_programmed(ready):
    plan = ready.plan
    foreign = checked_tiles(np.ones((3, 4), np.int64), 32)
    with pytest.raises(InputError, match="1 tiles with check columns were given for"):
        SlicedProduct(ready.bench, plan.multiply, plan.tiles, plan.levels.step, VOLTS, checked=foreign)


@given(st.integers(0, 10_000))
def test_a_trim_takes_out_a_factor_per_line_and_a_factor_per_column(seed):
    rng = np.random.default_rng(seed)
    digits = rng.integers(1, 8, (6, 9))
    line, column = rng.uniform(0.93, 1.03, 6), rng.uniform(0.93, 1.03, 9)
    response = np.tile(line[:, None] * digits * column * STEP, (REPEATS, 1, 1))
    trim = fit_trim(response, digits, STEP)
    assert np.abs(trim.errors).max() < 0.01
    # Driven and scaled as the trim says, every integer comes out.
    currents = trim.drive[:, None] * line[:, None] * digits * column * STEP
    assert_allclose(currents * trim.gain, digits, atol=0.01)
    assert trim.noise.max() < 1e-12


def test_what_no_trim_can_take_out_is_left_as_an_error_and_noise_is_told_apart():
    rng = np.random.default_rng(0)
    digits = rng.integers(1, 8, (5, 7))
    off = np.zeros(digits.shape)
    off[2, 3] = 0.2
    response = (digits + off) * STEP + 0.01 * STEP * rng.standard_normal((200, *digits.shape))
    trim = fit_trim(response, digits, STEP)
    assert np.unravel_index(np.abs(trim.errors).argmax(), off.shape) == (2, 3)
    assert_allclose(trim.noise, 0.01, rtol=0.35)


def test_lines_and_columns_without_a_digit_are_left_as_they_are():
    digits = np.array([[0, 3], [0, 0]])
    trim = fit_trim(np.tile(digits * STEP * 0.9, (REPEATS, 1, 1)), digits, STEP)
    assert trim.drive[1] == 1.0
    assert trim.gain[0] == pytest.approx(1.0 / STEP)
    assert trim.drive[0] * trim.gain[1] * 0.9 * STEP == pytest.approx(1.0)


def test_a_broken_line_is_not_trimmed_beyond_reason():
    digits = np.full((3, 3), 5)
    response = np.tile(digits * STEP, (REPEATS, 1, 1)).astype(float)
    response[:, 1] *= 0.1
    trim = fit_trim(response, digits, STEP)
    assert trim.drive.max() <= 1.0 / 0.7
    assert np.abs(trim.errors[1]).min() > 1.0  # seen, so that group_lines can set the line apart


def test_stuck_cells_do_not_bend_a_trim():
    rng = np.random.default_rng(2)
    digits = rng.integers(0, 8, (6, 28))
    stuck = rng.random(digits.shape) < 0.05
    line, column = rng.uniform(0.95, 1.0, 6), rng.uniform(0.95, 1.0, 28)
    held = np.where(stuck, 12.0, digits)
    trim = fit_trim(np.tile(line[:, None] * held * column * STEP, (REPEATS, 1, 1)), digits, STEP)
    assert np.abs(trim.errors[~stuck]).max() < 1e-5
    assert_allclose(trim.errors[stuck], (12.0 - digits)[stuck], rtol=1e-5)
    known = trim.known(0.1)
    assert_allclose(known, np.where(stuck, trim.errors, 0.0))


@pytest.mark.thorough
def test_wires_show_without_a_trim_and_not_with_one():
    # 16 rows far out along the wires: the raw sums are off by more than half a digit, the trimmed ones exact.
    rng = np.random.default_rng(4)
    matrix = np.abs(rng.uniform(0.5, 1.0, (16, 16)))
    with open_bench(preset="ideal", seed=1) as bench:
        plan = programmed(bench, bits=3, matrix=np.eye(16) * 8 + matrix)
        product = product_of(bench, plan)
        product(to_fixed_point(np.ones(16), 2))
        assert product.wrong == 0
        drives = np.concatenate([tile.trim.drive for tile in product._tiles])
        assert drives.max() > 1.0005
