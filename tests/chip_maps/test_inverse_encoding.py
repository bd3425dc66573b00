"""Signs on the inverting array: every encoding stands for its matrix, and the forecast picks the right one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from mho.chip_maps import inverse_encoding
from mho.chip_maps.chip import load_chip_map
from mho.chip_maps.inverse_encoding import (
    KINDS,
    EncodingForecast,
    InverseEncoding,
    assess,
    candidates,
    choose_encoding,
    damping,
)
from mho.chip_maps.levels import Levels
from mho.chip_maps.matrix_files import to_real
from mho.errors import ConvergenceError

LEVELS = load_chip_map("reference").level_scale()
INPUT = 35e-6  # S

signed = arrays(np.float64, (5, 5), elements=st.floats(-1.0, 1.0, allow_subnormal=False)).filter(
    lambda values: bool(np.abs(values).max() > 1e-3)
)


def nominal(encoding: InverseEncoding, exact: bool = False) -> np.ndarray:
    """The network of cells at their nominal levels, or with digit 0 exactly nothing."""
    step = LEVELS.step
    g = [
        None if digits is None else (digits * step if exact else LEVELS.conductance(digits))
        for digits in (encoding.positive, encoding.negative)
    ]
    return encoding.network(g[0], g[1], encoding.diagonal_conductance(step))


def gram(seed: int) -> np.ndarray:
    """Gram matrix of a 128 x 8 complex Gaussian channel as a real 16 x 16 one."""
    rng = np.random.default_rng(seed)
    channel = (rng.standard_normal((128, 8)) + 1j * rng.standard_normal((128, 8))) / np.sqrt(2.0)
    return to_real(channel.conj().T @ channel / 128)


@given(signed, st.sampled_from(KINDS), st.booleans())
def test_nominal_cells_stand_for_the_matrix_within_rounding(matrix, kind, diagonal):
    for encoding in candidates(matrix, LEVELS, (kind,), diagonal):
        rounding = 0.5 * encoding.unit
        assert_allclose(
            encoding.represented(nominal(encoding, exact=True), LEVELS.step),
            matrix,
            atol=rounding * (1 + 1e-9),
        )
        # A strong RESET is not quite zero: that much may come on top.
        zero = LEVELS.nominal[0] / LEVELS.step * encoding.unit
        held = encoding.represented(nominal(encoding), LEVELS.step)
        assert_allclose(held, matrix, atol=(rounding + zero) * (1 + 1e-9))


@given(signed, st.sampled_from(KINDS))
def test_digits_are_digits_and_a_bias_column_adds_one_line(matrix, kind):
    for encoding in candidates(matrix, LEVELS, (kind,)):
        order = 6 if kind == "bias" else 5
        assert encoding.order == order
        for digits in (encoding.positive, encoding.negative):
            if digits is not None:
                assert digits.shape == (order, order)
                assert digits.min() >= 0
                assert digits.max() <= LEVELS.top


@pytest.mark.parametrize("kind", [*KINDS, "bias resistors"])
def test_cells_are_used_up_to_their_highest_level(kind):
    for encoding in candidates(gram(1), LEVELS, (kind,), diagonal=False):
        digits = [one.max() for one in (encoding.positive, encoding.negative) if one is not None]
        assert max(digits) == LEVELS.top


def test_digits_with_a_bias_column_are_those_before_rounding_to_half_a_digit():
    for encoding in candidates(gram(1), LEVELS, ("bias",)):
        digits, second = encoding.unrounded(gram(1))
        assert second is None
        assert np.abs(np.minimum(digits, LEVELS.top) - encoding.positive).max() <= 0.5 + 1e-9


def test_digits_of_two_arrays_are_those_before_rounding_to_half_a_digit():
    matrix = gram(1) * np.sign(np.random.default_rng(1).standard_normal((len(gram(1)),) * 2))
    two = [one for kind in KINDS for one in candidates(matrix, LEVELS, (kind,)) if one.negative is not None]
    assert two
    for encoding in two:
        for digits, rounded in zip(
            encoding.unrounded(matrix), (encoding.positive, encoding.negative), strict=True
        ):
            assert np.abs(np.minimum(digits, LEVELS.top) - rounded).max() <= 0.5 + 1e-9


@pytest.mark.parametrize("kind", KINDS)
def test_scales_are_tried_up_to_where_the_largest_entry_still_rounds_to_the_top_digit(kind):
    matrix = np.array([[1.0, -0.01], [0.0, 1.0]])
    largest = [one.unrounded(matrix)[0].max() for one in candidates(matrix, LEVELS, (kind,), diagonal=False)]
    assert_allclose(largest, [7.0, 7.28, 7.49])


def test_a_complex_matrix_is_held_as_its_real_image():
    rng = np.random.default_rng(5)
    matrix = np.eye(3) + 0.2 * (rng.standard_normal((3, 3)) + 1j * rng.standard_normal((3, 3)))
    best, _ = choose_encoding(to_real(matrix), LEVELS, rng, input_conductance=INPUT)
    held = best.encoding.represented(nominal(best.encoding, exact=True), LEVELS.step)
    assert_allclose(held[:3, :3] + 1j * held[3:, :3], matrix, atol=best.encoding.unit)


def test_the_bias_column_is_a_schur_complement():
    # By hand: digits 6 2 / 1 5, bias m = 3 in the column, 7 in the row and the corner, 1 unit a digit:
    # [6 2; 1 5] - [3; 3] [7 7] / 7 = [3 -1; -2 2].
    positive = np.array([[6, 2, 3], [1, 5, 3], [7, 7, 7]])
    encoding = InverseEncoding("bias", 2, positive, None, unit=1.0, diagonal=0.0)
    held = encoding.represented(nominal(encoding), LEVELS.step)
    assert_allclose(held, [[3.0, -1.0], [-2.0, 2.0]], rtol=1e-12)
    # What the loop computes with its extra amplifier is the same 2 x 2 inverse.
    whole = np.linalg.inv(nominal(encoding))[:2, :2] * LEVELS.step
    assert_allclose(whole, np.linalg.inv([[3.0, -1.0], [-2.0, 2.0]]), rtol=1e-12)


def test_resistors_hold_the_diagonal_and_count_in_the_load_of_their_rows():
    encoding = InverseEncoding(
        "differential", 2, np.array([[1, 0], [0, 2]]), np.array([[0, 3], [0, 0]]), unit=0.1, diagonal=0.4
    )
    diagonal = encoding.diagonal_conductance(LEVELS.step)
    assert diagonal == pytest.approx(4 * LEVELS.step)
    positive, negative = encoding.positive * LEVELS.step, encoding.negative * LEVELS.step
    network = encoding.network(positive, negative, diagonal)
    assert_allclose(network / LEVELS.step, [[5, -3], [0, 6]])
    assert_allclose(encoding.represented(network, LEVELS.step), [[0.5, -0.3], [0.0, 0.6]])
    # Every conductance on the row loads its amplifier, whatever its sign.
    assert_allclose(
        encoding.row_load(positive, negative, diagonal, INPUT) / LEVELS.step, [1 + 3 + 4 + 7, 2 + 4 + 7]
    )


def test_draws_are_leading_axes():
    matrix = gram(0)
    encoding = next(iter(candidates(matrix, LEVELS, ("bias",))))
    draws = LEVELS.draw(encoding.positive, 9, np.random.default_rng(0))
    assert encoding.represented(encoding.network(draws, None, 0.0), LEVELS.step).shape == (9, 16, 16)


@pytest.mark.thorough
def test_the_encodings_contract_as_published_for_massive_mimo():
    """Median rho of a Gram matrix (physics.md, 2): bias 0.49, differential 0.38, with n I in resistors 0.11, 0.05."""
    rng = np.random.default_rng(7)
    found = {}
    for kind in KINDS:
        for diagonal in (False, True):
            best = [
                choose_encoding(
                    gram(seed), LEVELS, rng, input_conductance=INPUT, kinds=(kind,), diagonal=diagonal
                )[0]
                for seed in range(11)
            ]
            found[kind, diagonal] = float(np.median([candidate.rho for candidate in best]))
    order = sorted(found, key=found.__getitem__, reverse=True)
    assert order == [("bias", False), ("differential", False), ("bias", True), ("differential", True)]
    for case, published in zip(order, (0.49, 0.38, 0.11, 0.05), strict=True):
        assert published / 1.5 < found[case] < published * 1.5, case


def test_auto_takes_the_smallest_rho_and_ranks_the_best_of_each_name():
    best, ranked = choose_encoding(gram(3), LEVELS, np.random.default_rng(0), input_conductance=INPUT)
    rhos = [candidate.rho for candidate in ranked]
    assert best is ranked[0]
    assert rhos == sorted(rhos)
    assert_allclose(rhos, [0.05, 0.11, 0.38, 0.49], rtol=0.33)  # as published, see above
    assert [candidate.encoding.name for candidate in ranked] == [
        "differential + diagonal in resistors",
        "bias column + diagonal in resistors",
        "differential",
        "bias column",
    ]


def test_where_there_is_one_array_no_encoding_takes_a_second():
    for arrays_there, second in ((1, False), (2, True)):
        rng = np.random.default_rng(0)
        _, ranked = choose_encoding(gram(3), LEVELS, rng, input_conductance=INPUT, arrays=arrays_there)
        assert any(one.encoding.negative is not None for one in ranked) is second


def test_the_same_generator_gives_the_same_choice():
    first, second = (
        choose_encoding(gram(1), LEVELS, np.random.default_rng(4), input_conductance=INPUT)[0]
        for _ in range(2)
    )
    assert first.rho == second.rho
    assert_array_equal(first.encoding.positive, second.encoding.positive)


def test_larger_cell_errors_forecast_slower_convergence():
    matrix = gram(2)
    encoding = next(iter(candidates(matrix, LEVELS, ("differential",))))
    quiet = LEVELS.__class__(**{**vars(LEVELS), "spread": LEVELS.spread / 10})
    rng = np.random.default_rng(0)
    rho = {
        name: assess([encoding], matrix, levels, rng, input_conductance=INPUT)[0].rho
        for name, levels in (("quiet", quiet), ("reference", LEVELS))
    }
    assert rho["quiet"] < rho["reference"]


@pytest.mark.parametrize(
    "matrix",
    [-np.eye(3), np.array([[0.0, 1.0], [1.0, 0.0]]), np.diag([1.0, 1.0, -0.5])],
    ids=["negative", "swap", "one negative eigenvalue"],
)
def test_an_unstable_loop_is_refused_naming_its_eigenvalue(matrix):
    with pytest.raises(
        ConvergenceError, match=r"unstable .*eigenvalue -0\.\d+.* of D\^-1 G .*right half plane"
    ):
        choose_encoding(matrix, LEVELS, np.random.default_rng(0), input_conductance=INPUT)


def test_a_bias_column_without_a_negative_entry_is_refused():
    with pytest.raises(ConvergenceError, match="use the differential encoding"):
        choose_encoding(
            np.array([[2.0, 1.0], [1.0, 2.0]]), LEVELS, np.random.default_rng(0),
            input_conductance=INPUT, kinds=("bias",), diagonal=False,
        )  # fmt: skip


@given(arrays(np.float64, (4, 4), elements=st.floats(0.0, 1.0, allow_subnormal=False)))
def test_an_unsigned_matrix_needs_no_second_array(matrix):
    assume(matrix.max() > 1e-3)
    for encoding in candidates(matrix, LEVELS, ("differential",), diagonal=False):
        assert encoding.negative is None
        assert encoding.name == "unsigned"


def test_cells_of_two_levels_have_no_bias_column():
    two = replace(
        LEVELS,
        nominal=LEVELS.nominal[[0, -1]],
        low=LEVELS.low[[0, -1]],
        high=LEVELS.high[[0, -1]],
        step=35e-6,
    )
    matrix = np.array([[1.0, -0.5], [0.0, 1.0]])
    chosen, _ = choose_encoding(matrix, two, np.random.default_rng(0), input_conductance=INPUT)
    assert chosen.encoding.kind == "differential"
    with pytest.raises(ConvergenceError, match="nor cells of two levels: use the differential encoding"):
        choose_encoding(matrix, two, np.random.default_rng(0), input_conductance=INPUT, kinds=("bias",))


@pytest.mark.parametrize("noise", [0.0, 1e-16, 1e-9, 1e-4, 1e-2])
def test_no_diagonal_asks_for_resistors_that_cannot_be_had(noise):
    rng = np.random.default_rng(0)
    matrix = np.eye(4) + noise * rng.standard_normal((4, 4))
    step = 5e-6
    largest = [abs(one.diagonal_conductance(step)) for one in candidates(matrix, LEVELS)]
    assert max(largest) < 0.1  # S, what the array board's resistors go up to


def test_a_bias_column_in_resistors_holds_the_matrix_with_no_line_more():
    matrix = np.eye(5) + 0.3 * np.random.default_rng(4).uniform(-1.0, 1.0, (5, 5))
    levels = load_chip_map("zuo2025").level_scale()
    exact = replace(levels, nominal=levels.step * np.arange(8))
    for encoding in candidates(matrix, exact, ("bias resistors",)):
        assert encoding.order == encoding.size == 5
        assert encoding.negative is None
        conductances, step = exact.conductance(encoding.positive), exact.step
        resistors = encoding.diagonal_conductance(step), encoding.bias_conductance(step)
        network = encoding.network(conductances, None, *resistors)
        held = encoding.represented(network, step)
        assert np.abs(held - matrix).max() <= 0.51 * encoding.unit
        unrounded, second = encoding.unrounded(matrix)
        assert second is None
        assert np.abs(unrounded - encoding.positive).max() <= 0.51
        load = encoding.row_load(conductances, None, resistors[0], 35e-6, resistors[1])
        np.testing.assert_allclose(load, conductances.sum(axis=1) + sum(resistors) + 35e-6)
    assert not list(candidates(np.abs(matrix), exact, ("bias resistors",), diagonal=False)), (
        "no sign, no bias"
    )


def test_a_loop_is_damped_where_it_settles_and_so_do_most_with_the_errors_of_cells():
    encoding = next(iter(candidates(np.eye(2), LEVELS)))
    forecast = EncodingForecast(encoding, 0.1, 1.0 + 2.0j, damping=1e-9, settling=0.9, shift=0.0)
    assert (forecast.stable, forecast.damped) == (True, True)
    assert replace(forecast, slowest=2.0j).stable is False
    assert replace(forecast, damping=0.0).damped is False
    assert replace(forecast, settling=0.89).damped is False


@pytest.mark.parametrize("kind", ["bias", "bias resistors"])
def test_a_matrix_whose_least_entry_is_zero_needs_no_bias(kind):
    assert not list(candidates(np.array([[2.0, 0.0], [1.0, 3.0]]), LEVELS, (kind,), diagonal=False))


@pytest.mark.parametrize(("count", "built"), [(2, False), (3, True)])
def test_a_bias_column_needs_a_level_between_the_ends(count, built):
    levels = Levels.from_values(
        np.arange(count) * 5e-6, tolerance=1e-6, spread=1e-6, zero_range=(0.0, 1e-6), zero_limit=1e-6
    )
    assert bool(list(candidates(np.array([[1.0, -0.5], [0.5, 1.0]]), levels, ("bias",)))) is built


ALL_KINDS = (*KINDS, "bias resistors")


@pytest.mark.parametrize("kind", ALL_KINDS)
@pytest.mark.parametrize("scale", [2.0**-20, 2.0**20])
def test_the_digits_of_a_matrix_do_not_depend_on_its_unit(kind, scale):
    matrix = gram(2)[:5, :5]
    for one, other in zip(
        candidates(matrix, LEVELS, (kind,)), candidates(scale * matrix, LEVELS, (kind,)), strict=True
    ):
        assert_array_equal(one.positive, other.positive)
        assert_allclose(
            [other.unit, other.diagonal, other.bias],
            np.multiply(scale, [one.unit, one.diagonal, one.bias]),
            rtol=1e-12,
        )


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_resistors_take_from_none_to_more_than_all_of_the_mean_diagonal(kind):
    matrix = np.diag([1.0, 3.0]) - 0.1
    mean = np.trace(matrix) / 2.0
    shares = Counter(round(one.diagonal / mean, 9) for one in candidates(matrix, LEVELS, (kind,)))
    assert shares == dict.fromkeys((0.0, 0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2), 3)  # with three scales each
    assert len(list(candidates(matrix, LEVELS, (kind,), diagonal=False))) == 3
    for trace in (0.0, -1.0):
        found = list(candidates(np.array([[1.0, -0.5], [-0.5, trace - 1.0]]), LEVELS, (kind,)))
        assert [one.diagonal for one in found] == [0.0] * 3


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_a_diagonal_in_resistors_is_at_most_16_times_the_top_digit(kind):
    matrix = np.eye(3) + 1e-6 * np.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [1.0, -1.0, 0.0]])
    ratios = [one.diagonal / one.unit / LEVELS.top for one in candidates(matrix, LEVELS, (kind,))]
    assert max(ratios) == pytest.approx(16.0)


def test_a_bias_column_has_the_finest_unit_in_which_the_matrix_fits():
    rng = np.random.default_rng(6)
    for _ in range(20):
        matrix = rng.uniform(-1.0, rng.uniform(-0.5, 2.0), (3, 3))
        encodings = list(candidates(matrix, LEVELS, ("bias",), diagonal=False))
        for one, saturation in zip(encodings, (1.0, 1.04, 1.07), strict=True):
            shifts, finer = np.arange(1, LEVELS.top), 0.999 * one.unit
            above = matrix.max() > finer * (LEVELS.top * saturation - shifts)
            assert np.all(above | (-matrix.min() > finer * shifts))
            assert one.positive[0, 3] in shifts
            assert (one.positive[3] == LEVELS.top).all()


def test_equal_entries_below_zero_need_no_cells_beside_their_bias_in_resistors():
    assert not list(candidates(np.full((2, 2), -1.0), LEVELS, ("bias resistors",)))


@pytest.mark.parametrize(("draws", "order", "together"), [(8, 8, 512), (48, 16, 21), (48, 100, 1)])
def test_encodings_are_forecast_together_as_far_as_memory_should_go(draws, order, together, monkeypatch):
    parts: list[int] = []

    def look(encodings, matrix, levels, rng, input_conductance, draws, loops, shift):
        parts.append(len(encodings))
        return iter(())

    monkeypatch.setattr(inverse_encoding, "_assess_alike", look)
    one = InverseEncoding("differential", order, np.zeros((order, order), np.int64), None, 1.0, 0.0)
    assess([one] * (together + 1), np.eye(order), LEVELS, None, input_conductance=INPUT, draws=draws)
    assert parts == [together, 1]  # 2^18 drawn conductances at most, or one encoding


def test_a_few_draws_select_finalists_which_are_forecast_with_all(monkeypatch):
    calls: list[tuple[int, int, Counter[str]]] = []

    def look(encodings, **how):
        encodings = list(encodings)
        calls.append((how["draws"], how.get("loops", 0), Counter(one.name for one in encodings)))
        return assess(encodings, **how)

    monkeypatch.setattr(inverse_encoding, "assess", look)
    _, ranked = choose_encoding(gram(3)[:4, :4], LEVELS, np.random.default_rng(0), input_conductance=INPUT)
    (few, no_loops, all_of), (many, loops, finalists) = calls
    assert (few, no_loops, sum(all_of.values())) == (8, 0, 48)
    assert (many, loops) == (48, 16)
    assert finalists == dict.fromkeys(all_of, 2)
    assert Counter(one.encoding.name for one in ranked) == dict.fromkeys(all_of, 1)


def test_a_loop_may_hold_a_shifted_matrix_where_its_own_would_be_unstable():
    matrix, shift = np.array([[-0.5, 0.2], [0.1, 0.3]]), 1.5
    best, ranked = choose_encoding(
        matrix, LEVELS, np.random.default_rng(0), input_conductance=INPUT, shift=shift
    )
    held = best.encoding.represented(nominal(best.encoding, exact=True), LEVELS.step)
    assert_allclose(held, matrix + shift * np.eye(2), atol=0.51 * best.encoding.unit)
    assert {one.shift for one in ranked} == {shift}
    assert not np.isclose(best.rho, 0.0)  # it is of A, not of A + s I


def test_the_reference_board_s_amplifiers_have_their_second_pole_at_a_quarter_of_their_band():
    assert damping(np.array([1.0 + 0.5j])) == 0.0
    assert damping(np.array([[1.0, 1.0 + 0.25j], [0.5, 2.0 + 1.0j]])).tolist() == [0.75, -2.0]


@pytest.mark.parametrize(("turn", "settles"), [(0.6, 1.0), (1.4, 0.0)])
def test_drawn_loops_settle_or_ring_as_the_nominal_one(turn: float, settles: float):
    matrix = np.array([[1.0, turn], [-turn, 1.0]])
    encodings = list(candidates(matrix, LEVELS, ("differential",)))
    for one in assess(encodings, matrix, LEVELS, np.random.default_rng(0), input_conductance=INPUT, loops=20):
        assert one.settling == settles
        assert abs(one.damping) < 1.0
        assert (one.damping > 0.0) == bool(settles)


def test_a_loop_with_an_eigenvalue_of_zero_does_not_settle():
    levels = replace(LEVELS, nominal=np.where(np.arange(8) > 0, LEVELS.nominal, 0.0))
    for lower, stable in ((0, False), (7, True)):
        digits = np.array([[7, 7], [0, lower]])
        one = InverseEncoding("differential", 2, digits, None, 1.0 / 7.0, 0.0)
        (found,) = assess(
            [one], digits / 7.0, levels, np.random.default_rng(0), input_conductance=INPUT, loops=4
        )
        assert (found.stable, np.isfinite(found.rho)) == (stable, stable)
