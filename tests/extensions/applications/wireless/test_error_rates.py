"""Counted errors, their intervals, and the comparison of two receivers bit by bit."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from mho.extensions.applications.wireless.mimo import count, mcnemar, paired


def bits(*rows: str) -> np.ndarray:
    return np.array([[int(one) for one in row] for row in rows], dtype=np.uint8)


def test_errors_are_counted_and_a_rate_lies_within_or_beyond_their_interval() -> None:
    found = count(bits("0011", "0101"), bits("0010", "0001"))
    assert (found.errors, found.bits, found.rate) == (2, 8, 0.25)
    assert found.low < 0.25 < found.high
    assert found.holds(found.low)
    assert found.holds(found.high)
    assert not found.holds(np.nextafter(found.high, 1.0))
    assert not found.holds(np.nextafter(found.low, 0.0))


def test_no_error_leaves_an_upper_end_that_counts_vectors() -> None:
    sent = np.zeros((100, 8), dtype=np.uint8)
    found = count(sent, sent)
    assert (found.low, found.high) == (0.0, pytest.approx(1.0 - 0.025 ** (1 / 100)))


@pytest.mark.parametrize(("first", "second"), [(0, 0), (1, 0), (3, 9), (20, 20), (0, 12)])
def test_mcnemars_test_is_the_binomial_one_of_the_bits_that_differ(first: int, second: int) -> None:
    expected = binomtest(first, first + second).pvalue if first + second else 1.0
    assert mcnemar(first, second) == pytest.approx(expected)


def test_the_same_decisions_agree_and_few_vectors_leave_much_room() -> None:
    sent, decided = bits("0000", "1111"), bits("0001", "1011")
    found = paired(sent, decided, decided)
    assert (found.only_first, found.only_second, found.difference, found.p) == (0, 0, 0.0, 1.0)
    assert found.agree
    assert found.high == -found.low == pytest.approx(1.0 - 0.025**0.5)


def test_a_receiver_that_errs_more_is_found() -> None:
    rng = np.random.default_rng(1)
    sent = rng.integers(0, 2, (500, 16), dtype=np.uint8)
    good = sent ^ (rng.random(sent.shape) < 0.05)
    bad = good ^ (rng.random(sent.shape) < 0.02)
    found = paired(sent, bad, good)
    assert found.p < 1e-6
    assert not found.agree
    assert found.low < 0.018 < found.high
    assert not paired(sent, good, bad).agree


def test_errors_that_come_in_whole_vectors_widen_the_interval() -> None:
    """McNemar's test takes bits as independent, the interval does not."""
    sent = np.zeros((400, 32), dtype=np.uint8)
    together = sent.copy()
    together[:4] = 1
    found = paired(sent, together, sent)
    assert found.p < 1e-9
    assert found.high - found.low > 0.015


def test_the_difference_turns_with_the_receivers() -> None:
    sent = np.zeros((50, 8), dtype=np.uint8)
    one, other = sent.copy(), sent.copy()
    one[:5, 0], other[3:10, 1:3] = 1, 1
    found, back = paired(sent, one, other), paired(sent, other, one)
    assert (found.only_first, found.only_second) == (5, 14)
    assert found.difference == pytest.approx((5 - 14) / 400)
    assert (back.low, back.high) == pytest.approx((-found.high, -found.low))


def test_one_vector_says_next_to_nothing() -> None:
    found = paired(bits("0101"), bits("0100"), bits("0101"))
    assert found.high - found.low > 1.0
