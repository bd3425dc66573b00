"""The block inverse on plain arrays: exact with exact arrays, as costly as the formulae say, and good enough with cells."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.chip_maps.chip import load_chip_map
from mho.chip_maps.inverse_encoding import choose_encoding
from mho.errors import ConvergenceError, InputError
from mho.procedures.equations.blocks.block_inverse import BlockInverse, BlockPlan, Leaf
from mho.procedures.equations.blocks.block_plan import leading_size, plan_blocks

Floats = np.ndarray

LEVELS = load_chip_map("reference").level_scale()


def operator(plan: BlockPlan, leaves=None, blocks=None) -> BlockInverse:
    """The operator of a plan whose arrays hold `leaves` and `blocks`; where not given, exactly what was planned."""
    leaves = plan.leaves if leaves is None else leaves
    blocks = plan.blocks if blocks is None else blocks
    return BlockInverse(
        plan,
        lambda k, r: np.linalg.solve(leaves[k], r[..., None])[..., 0],
        lambda numbers, vectors: [v @ blocks[k].T for k, v in zip(numbers, vectors, strict=True)],
    )


def as_matrix(inverse: BlockInverse) -> Floats:
    return inverse(np.eye(inverse.plan.size)).T


def general(n: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).standard_normal((n, n))


def dominant(n: int, seed: int = 0) -> Floats:
    return general(n, seed) + 2.0 * n * np.eye(n)


def gram(n: int, seed: int = 0, antennas: int = 8) -> Floats:
    channel = np.random.default_rng(seed).standard_normal((antennas * n, n)) / np.sqrt(antennas * n)
    return channel.T @ channel


def complex_gram(n: int, seed: int = 0) -> Floats:
    """H^H H of a complex channel, as a real matrix of 2 n rows."""
    rng = np.random.default_rng(seed)
    channel = (rng.standard_normal((4 * n, n)) + 1j * rng.standard_normal((4 * n, n))) / np.sqrt(8 * n)
    product = channel.conj().T @ channel
    return np.block([[product.real, -product.imag], [product.imag, product.real]])


def poisson(side: int) -> Floats:
    line = 2.0 * np.eye(side) - np.eye(side, k=1) - np.eye(side, k=-1)
    return np.kron(line, np.eye(side)) + np.kron(np.eye(side), line)


def conditioned(n: int, condition: float, seed: int = 0) -> Floats:
    turn = np.linalg.qr(general(n, seed))[0]
    return turn @ np.diag(np.geomspace(1.0, 1.0 / condition, n)) @ turn.T


# --- with exact arrays it is the inverse ---


@pytest.mark.thorough
@given(
    st.integers(1, 70),
    st.integers(1, 72),
    st.integers(1, 72),
    st.integers(0, 1000),
    st.sampled_from([False, True, None]),
)
@settings(max_examples=90)
def test_exact_arrays_make_it_the_inverse_of_any_matrix(n, leaf, tile, seed, factored):
    matrix, rhs = general(n, seed), np.random.default_rng(seed).standard_normal(n)
    plan = plan_blocks(matrix, leaf, tile=tile, factored=factored)
    found = operator(plan)(rhs)
    exact = np.linalg.solve(matrix, rhs)
    assert np.linalg.norm(found - exact) < 1e-13 * n * np.linalg.cond(matrix) * np.linalg.norm(exact)
    assert max(len(one) for one in plan.leaves) <= leaf
    assert all(max(one.shape) <= tile for one in plan.blocks)


@given(st.integers(1, 70), st.integers(1, 72), st.booleans(), st.integers(0, 1000))
@settings(max_examples=40)
def test_it_is_the_inverse_with_and_without_exchanged_rows(n, leaf, pivot, seed):
    matrix = dominant(n, seed)
    product = matrix @ as_matrix(operator(plan_blocks(matrix, leaf, pivot=pivot)))
    np.testing.assert_allclose(product, np.eye(n), atol=1e-13 * n)


@pytest.mark.parametrize(("leaf", "blocks"), [(4, 6), (6, 1)])
def test_a_complex_matrix_is_inverted_as_the_real_one(leaf, blocks):
    matrix = complex_gram(6)
    plan = plan_blocks(matrix, leaf)
    np.testing.assert_allclose(as_matrix(operator(plan)), np.linalg.inv(matrix), atol=1e-12)
    assert len(plan.blocks) == blocks  # -Im and Im are one array where a stage holds them whole


def test_a_batch_is_solved_as_its_vectors_one_by_one():
    matrix, batch = general(23), np.random.default_rng(1).standard_normal((2, 3, 23))
    together, apart = operator(plan_blocks(matrix, 5)), operator(plan_blocks(matrix, 5))
    one_by_one = [[apart(vector) for vector in half] for half in batch]
    np.testing.assert_allclose(together(batch), one_by_one, rtol=1e-9)
    assert (together.inversions, together.products) == (apart.inversions, apart.products)


def test_arrays_with_errors_make_it_the_inverse_of_the_documented_matrix():
    rng, matrix = np.random.default_rng(3), dominant(8)
    plan = plan_blocks(matrix, 4)
    m1, s = (leaf + 0.3 * rng.standard_normal((4, 4)) for leaf in plan.leaves)
    m2, m3 = (block + 0.3 * rng.standard_normal((4, 4)) for block in plan.blocks)
    held = np.block([[m1, m2], [m3, s + m3 @ np.linalg.solve(m1, m2)]])
    found = as_matrix(operator(plan, [m1, s], [m2, m3]))
    np.testing.assert_allclose(found, np.linalg.inv(held), rtol=1e-10, atol=1e-14)


def test_a_factored_stage_with_errors_is_the_inverse_of_the_documented_matrix():
    rng, matrix = np.random.default_rng(3), dominant(8)
    plan = plan_blocks(matrix, 4, factored=True)
    np.testing.assert_allclose(plan.blocks[1], matrix[4:, :4] @ np.linalg.inv(matrix[:4, :4]), rtol=1e-12)
    m1, s = (leaf + 0.3 * rng.standard_normal((4, 4)) for leaf in plan.leaves)
    m2, low = (block + 0.3 * rng.standard_normal((4, 4)) for block in plan.blocks)
    held = np.block([[m1, m2], [low @ m1, s + low @ m2]])
    found = as_matrix(operator(plan, [m1, s], [m2, low]))
    np.testing.assert_allclose(found, np.linalg.inv(held), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("seed", range(5))
def test_errors_of_leaves_pass_through_factored_stages_no_worse(seed):
    rng, matrix = np.random.default_rng(seed), general(48, seed)

    def error(factored: bool) -> float:
        plan = plan_blocks(matrix, 6, factored=factored)
        leaves = [leaf * (1.0 + 1e-6 * rng.standard_normal(leaf.shape)) for leaf in plan.leaves]
        return float(np.linalg.norm(as_matrix(operator(plan, leaves)) @ matrix - np.eye(48), 2))

    assert error(True) < error(False)


# --- what it costs ---


@pytest.mark.parametrize("ratio", [1, 2, 4, 8, 16, 32])
def test_factored_every_leaf_is_inverted_once_and_every_block_multiplied_once(ratio):
    size = 2 * ratio
    plan = plan_blocks(dominant(size), 2, factored=True)
    inverse = operator(plan)
    inverse(np.random.default_rng(0).standard_normal(size))
    assert inverse.inversions == plan.inversions == len(plan.leaves) == ratio
    assert inverse.products == plan.products == len(plan.blocks) == ratio**2 - ratio


def test_stages_are_factored_where_that_takes_no_more_arrays():
    dense, sparse = general(24), poisson(8)
    assert plan_blocks(dense, 4, factored=None).inversions == 6
    amc, either, lu = (plan_blocks(sparse, 8, factored=one) for one in (False, None, True))
    assert amc.inversions >= either.inversions > lu.inversions == 8
    assert len(amc.blocks) == 1  # -1 between neighbours, everywhere
    assert len(either.blocks) <= 2 < len(lu.blocks)


@pytest.mark.parametrize("ratio", [1, 2, 4, 8, 16, 32])
def test_the_counts_are_those_of_the_published_formulae(ratio):
    size = 2 * ratio
    inverse = operator(plan_blocks(dominant(size), 2))
    inverse(np.random.default_rng(0).standard_normal(size))
    inversions = round(ratio ** math.log2(3))
    assert inverse.inversions == inverse.plan.inversions == inversions
    assert inverse.products == inverse.plan.products
    residual = ratio**2  # the published count of a cycle includes its residual
    assert inverse.products + residual == 3 * ratio**2 - 2 * inversions
    assert len(inverse.plan.leaves) == ratio  # M1 is used twice, and programmed once
    assert len(inverse.plan.blocks) == ratio**2 - ratio


def test_the_digital_multiplications_of_a_plan_are_counted():
    each = 4**3
    exact = 2 * each + each + 4 * 4 * 8  # both leaves, M1^-1, and M3 M1^-1 with its product
    assert plan_blocks(dominant(8), 4, pivot=False).multiplications == exact
    assert plan_blocks(dominant(8), 4).multiplications == exact + 8**3 // 6
    assert plan_blocks(dominant(8), 4, pivot=True).multiplications == exact + 8 * 4**2 - 4**3 // 3
    assert plan_blocks(dominant(8), 4, schur="M4").multiplications == 2 * each


@given(st.integers(1, 400), st.integers(1, 64))
def test_leaves_are_few_and_of_nearly_equal_size(n, leaf):
    def sizes(n: int) -> list[int]:
        if n <= leaf:
            return [n]
        m = leading_size(n, leaf)
        return sizes(m) + sizes(n - m)

    found = sizes(n)
    assert len(found) == -(-n // leaf)
    assert max(found) - min(found) <= 1


def test_zero_blocks_cost_nothing():
    full = dominant(8)
    upper, lower, diagonal = full.copy(), full.copy(), full.copy()
    upper[4:, :4] = lower[:4, 4:] = diagonal[4:, :4] = diagonal[:4, 4:] = 0.0
    rhs = np.random.default_rng(0).standard_normal(8)
    for matrix, counts in ((full, (3, 2)), (upper, (2, 1)), (lower, (2, 1)), (diagonal, (2, 0))):
        inverse = operator(plan_blocks(matrix, 4, pivot=False))
        np.testing.assert_allclose(inverse(rhs), np.linalg.solve(matrix, rhs), rtol=1e-12)
        assert (inverse.inversions, inverse.products) == counts
        assert (inverse.plan.inversions, inverse.plan.products) == counts


def test_parts_of_the_right_hand_side_that_are_zero_are_not_played():
    inverse = operator(plan_blocks(dominant(8), 4))
    assert not inverse(np.zeros(8)).any()
    assert (inverse.inversions, inverse.products) == (0, 0)
    rhs = np.repeat([0.0, 1.0], 4)
    np.testing.assert_allclose(inverse(rhs), np.linalg.solve(dominant(8), rhs), rtol=1e-12)
    assert (inverse.inversions, inverse.products) == (2, 1)


def test_tiles_whose_columns_are_all_zero_are_not_asked_for_together():
    matrix = 2.0 * np.eye(8)
    matrix[4, 3] = matrix[3, 4] = 0.5
    plan = plan_blocks(matrix, 4, tile=2)

    def multiply_all(numbers, vectors):
        assert len(numbers) > 0
        return [vector @ plan.blocks[k].T for k, vector in zip(numbers, vectors, strict=True)]

    leaves = plan.leaves
    inverse = BlockInverse(plan, lambda k, r: np.linalg.solve(leaves[k], r), multiply_all)
    rhs = np.eye(8)[0]
    np.testing.assert_allclose(inverse(rhs), np.linalg.solve(matrix, rhs), atol=1e-15)
    assert inverse.products == 0


def test_equal_matrices_are_programmed_once():
    matrix = poisson(8)
    assert len(plan_blocks(matrix, 8).blocks) == 1
    cheap = plan_blocks(matrix, 8, schur="M4")
    assert (len(cheap.leaves), len(cheap.blocks)) == (1, 1)
    assert cheap.inversions == 27


def test_a_matrix_and_its_negative_with_zeros_are_one_array():
    coupling = np.diag([1.0, 0.0, -2.0])
    matrix = np.block([[4.0 * np.eye(3), coupling], [0.0 - coupling, 4.0 * np.eye(3)]])
    plan = plan_blocks(matrix, 3)
    assert len(plan.blocks) == 1
    np.testing.assert_allclose(as_matrix(operator(plan)), np.linalg.inv(matrix), atol=1e-14)


@pytest.mark.parametrize(
    "matrix", [conditioned(16, 1e3), dominant(16) * np.sign(general(16)[:, :1]), poisson(4)]
)
def test_rows_stay_where_no_block_can_be_singular(matrix):
    stage = plan_blocks(matrix, 4).root
    while not isinstance(stage, Leaf):
        np.testing.assert_array_equal(stage.order, np.arange(stage.size))
        stage = stage.complement


def test_a_leaf_is_named_by_its_place():
    assert plan_blocks(dominant(8), 2).names == ("M1.M1", "M1.S", "S.M1", "S.S")
    assert plan_blocks(dominant(2), 2).names == ("A",)


# --- complements that refinement absorbs ---


def contraction(matrix: Floats, inverse: BlockInverse) -> float:
    return float(np.abs(np.linalg.eigvals(np.eye(len(matrix)) - matrix @ as_matrix(inverse))).max())


@pytest.mark.parametrize("schur", ["diagonal", "M4", "M1"])
def test_the_contraction_is_that_of_the_complement(schur):
    matrix = complex_gram(4)
    m1, m2, m3, m4 = matrix[:4, :4], matrix[:4, 4:], matrix[4:, :4], matrix[4:, 4:]
    exact = m4 - m3 @ np.linalg.solve(m1, m2)
    used = {"diagonal": m4 - m3 @ np.diag(1 / np.diag(m1)) @ m2, "M4": m4, "M1": m1}[schur]
    expected = np.abs(np.linalg.eigvals(np.eye(4) - exact @ np.linalg.inv(used))).max()
    assert 0.01 < expected < 1.0
    inverse = operator(plan_blocks(matrix, 4, schur=schur))
    assert contraction(matrix, inverse) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("draw", "schur"),
    [
        (lambda seed: gram(24, seed, antennas=2), "M4"),
        (lambda seed: conditioned(24, 30.0, seed), ("M4",)),
        (lambda seed: complex_gram(12, seed), ("M1", "exact")),
        (lambda seed: complex_gram(12, seed), ("exact", "M4")),
        (lambda seed: poisson(5), "diagonal"),
    ],
)
def test_refinement_absorbs_a_cheap_complement(seed, draw, schur):
    matrix = draw(seed)
    inverse = operator(plan_blocks(matrix, 6, schur=schur))
    rho = contraction(matrix, inverse)
    assert 1e-3 < rho < 0.9
    exact = np.random.default_rng(seed).standard_normal(len(matrix))
    rhs, solution = matrix @ exact, np.zeros(len(matrix))
    for _ in range(math.ceil(math.log(1e-12) / math.log(rho))):
        solution = solution + inverse(rhs - matrix @ solution)
    assert np.linalg.norm(solution - exact) < 1e-9 * np.linalg.norm(exact)


def test_one_array_serves_all_three_inversions_of_a_complex_stage():
    plan = plan_blocks(complex_gram(8), 8, schur="M1")
    assert (len(plan.leaves), len(plan.blocks), plan.inversions, plan.products) == (1, 1, 3, 2)


# --- with cells ---


def cells(matrix: Floats, rng: np.random.Generator) -> Floats:
    """What a loop of the reference chip inverts after write-verify."""
    peak = np.abs(matrix).max()
    found, _ = choose_encoding(matrix / peak, LEVELS, rng, input_conductance=35e-6, kinds=("differential",))
    encoding = found.encoding
    positive = LEVELS.draw(encoding.positive, 1, rng)[0]
    negative = None if encoding.negative is None else LEVELS.draw(encoding.negative, 1, rng)[0]
    network = encoding.network(positive, negative, encoding.diagonal_conductance(LEVELS.step))
    return encoding.represented(network, LEVELS.step) * peak


def quantised(block: Floats, bits: int) -> Floats:
    unit = np.abs(block).max() / (2**bits - 1)
    return np.rint(block / unit) * unit


def gcr_cycles(matrix: Floats, rhs: Floats, inverse: BlockInverse, most: int) -> int:
    """Cycles of GCR, its residual in float64, until the error of the solution is below 2^-24."""
    exact = np.linalg.solve(matrix, rhs)
    solution, residual = np.zeros_like(rhs), rhs.copy()
    directions, products = [], []
    for cycle in range(1, most + 1):
        direction = inverse(residual)
        product = matrix @ direction
        for earlier, its_product in zip(directions, products, strict=True):
            share = its_product @ product
            direction, product = direction - share * earlier, product - share * its_product
        length = np.linalg.norm(product)
        directions.append(direction / length)
        products.append(product / length)
        share = products[-1] @ residual
        solution, residual = solution + share * directions[-1], residual - share * products[-1]
        if np.linalg.norm(solution - exact) < 2.0**-24 * np.linalg.norm(exact):
            return cycle
    return most + 1


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("matrix", "most"),
    [(gram(256), 6), (dominant(256), 5), (poisson(16), 14), (conditioned(256, 30.0), 10)],
    ids=["Gram", "dominant", "Poisson", "condition 30"],
)
def test_gcr_around_leaves_of_verified_cells_reaches_24_bits(matrix, most):
    rng = np.random.default_rng(5)
    plan = plan_blocks(matrix, 32)
    inverse = operator(
        plan, [cells(leaf, rng) for leaf in plan.leaves], [quantised(block, 6) for block in plan.blocks]
    )
    assert gcr_cycles(matrix, rng.standard_normal(256), inverse, most) <= most


@pytest.mark.parametrize("seed", range(3))
def test_exchanged_rows_make_a_general_matrix_bear_errors(seed):
    matrix, rng = general(128, seed), np.random.default_rng(seed)

    def cycles(pivot: bool) -> int:
        plan = plan_blocks(matrix, 16, pivot=pivot)
        held = [leaf + 0.01 * leaf.std() * rng.standard_normal(leaf.shape) for leaf in plan.leaves]
        return gcr_cycles(matrix, rng.standard_normal(128), operator(plan, held), 30)

    assert cycles(pivot=True) <= 20
    assert cycles(pivot=True) < cycles(pivot=False)


# --- singular blocks, and what cannot be used ---


def test_a_singular_leading_block_is_named_or_its_rows_are_exchanged():
    matrix = np.kron(np.array([[0.0, 1.0], [1.0, 0.0]]), dominant(4))
    with pytest.raises(ConvergenceError, match=r"block M1\.M1 \(2 x 2\).*condition number inf"):
        plan_blocks(matrix, 2, pivot=False)
    np.testing.assert_allclose(as_matrix(operator(plan_blocks(matrix, 2))), np.linalg.inv(matrix), atol=1e-13)


def test_a_singular_matrix_is_refused_with_the_block_that_shows_it():
    matrix = general(12)
    matrix[7] = matrix[2] - 2.0 * matrix[5]
    with pytest.raises(ConvergenceError, match=r"block S\.S \(3 x 3\) is singular"):
        plan_blocks(matrix, 3)
    with pytest.raises(ConvergenceError, match=r"the matrix \(12 x 12\) is singular"):
        plan_blocks(matrix, 12)


def test_a_zero_on_the_diagonal_rules_out_the_diagonal_complement():
    matrix = np.array(
        [[0.0, 1.0, 2.0, 0.5], [1.0, 0.0, 0.5, 2.0], [1.0, 0.0, 3.0, 0.0], [0.0, 1.0, 0.0, 3.0]]
    )
    with pytest.raises(ConvergenceError, match=r"block M1 \(2 x 2\) has a zero on its diagonal"):
        plan_blocks(matrix, 2, schur="diagonal")


@pytest.mark.parametrize(
    ("matrix", "options", "said"),
    [
        (np.ones((2, 3)), {}, "shape"),
        (np.ones((0, 0)), {}, "shape"),
        (np.eye(2) * 1j, {}, "complex"),
        (np.diag([1.0, np.nan]), {}, "not finite"),
        (np.eye(2), {"leaf": 0}, "at least 1"),
        (np.eye(2), {"tile": 0}, "at least 1"),
        (np.eye(2), {"schur": "M5"}, "M5"),
        (np.eye(2), {"schur": ()}, "none"),
        (np.eye(7), {"leaf": 3, "schur": "M1"}, "7 rows"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason(matrix, options, said):
    with pytest.raises(InputError, match=said):
        plan_blocks(matrix, **{"leaf": 1, **options})


def test_a_right_hand_side_of_another_size_is_refused():
    with pytest.raises(InputError, match="5 entries, the matrix 4 rows"):
        operator(plan_blocks(np.eye(4), 2))(np.ones(5))
