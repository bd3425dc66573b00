"""Normal deviates that are drawn many at once have the law of those that NumPy draws one after the other."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mho.instruments.simulated.physics.normal_draws import FEW, ManyNormals, normal_deviates

COUNT = 400_001


@pytest.fixture(scope="module")
def drawn():
    return ManyNormals.on(np.random.default_rng(7)).standard_normal((COUNT,), np.float32)


def test_they_are_normal(drawn):
    assert drawn.dtype == np.float32
    assert stats.kstest(drawn, "norm").pvalue > 0.01
    assert abs(drawn.mean()) < 4 / np.sqrt(COUNT)
    assert drawn.var() == pytest.approx(1.0, abs=4 * np.sqrt(2 / COUNT))
    assert abs(stats.kurtosis(drawn)) < 4 * np.sqrt(24 / COUNT)
    for sigmas in (3.0, 4.0):  # as many beyond as there should be, on both sides
        expected = COUNT * stats.norm.sf(sigmas)
        for tail in ((drawn > sigmas).sum(), (drawn < -sigmas).sum()):
            assert tail == pytest.approx(expected, abs=4 * np.sqrt(expected))


def test_they_are_independent(drawn):
    half = (COUNT + 1) // 2
    pairs = drawn[: COUNT - half], drawn[half:]  # cosine and sine of one radius
    for first, second in (pairs, (drawn[:-1], drawn[1:])):
        for one, other in ((first, second), (first**2, second**2), (np.abs(first), second)):
            assert abs(np.corrcoef(one, other)[0, 1]) < 4 / np.sqrt(len(first))


def test_everything_else_is_drawn_as_ever():
    for draw in (
        lambda rng: rng.standard_normal((FEW,), np.float32),
        lambda rng: rng.standard_normal((2 * FEW,)),
        lambda rng: rng.standard_normal(),
        lambda rng: rng.standard_normal(2 * FEW, np.float32),
        lambda rng: rng.random(5),
    ):
        np.testing.assert_array_equal(
            draw(ManyNormals.on(np.random.default_rng(3))), draw(np.random.default_rng(3))
        )


def test_both_generators_go_on_where_either_stopped():
    rng = np.random.default_rng(5)
    many = ManyNormals.on(rng)
    shape = (3, FEW)
    first = many.standard_normal(shape, np.float32)
    assert first.shape == shape
    state = rng.bit_generator.state
    assert not np.array_equal(many.standard_normal(shape, np.float32), first)
    rng.bit_generator.state = np.random.default_rng(5).bit_generator.state
    np.testing.assert_array_equal(many.standard_normal(shape, np.float32), first)
    assert rng.bit_generator.state == state


def test_no_bits_make_an_infinite_one():
    extremes = normal_deviates(np.array([0, 2**64 - 1, 2**31, 2**63, 2**32 - 1], np.uint64))
    assert np.isfinite(extremes).all()
    assert np.abs(extremes).max() == pytest.approx(np.sqrt(62 * np.log(2)), rel=1e-6)
