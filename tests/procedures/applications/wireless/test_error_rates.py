"""Counted errors, their intervals, and the comparison of two receivers bit by bit."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from mho.procedures.applications.wireless.error_rates import ErrorRate, count, mcnemar, paired


def bits(*rows: str) -> np.ndarray:
    return np.array([[int(one) for one in row] for row in rows], dtype=np.uint8)


def test_errors_are_counted_and_their_interval_is_wilsons() -> None:
    found = count(bits("0011", "0101"), bits("0010", "0001"))
    assert (found.errors, found.bits, found.rate) == (2, 8, 0.25)
    wilson = binomtest(2, 8).proportion_ci(0.95, "wilson")
    assert found.interval == pytest.approx((wilson.low, wilson.high))
    assert found.holds(0.3)
    assert not found.holds(0.9)


def test_no_error_leaves_an_upper_end() -> None:
    low, high = ErrorRate(0, 1000).interval
    assert low == 0.0
    assert 0.003 < high < 0.005


@pytest.mark.parametrize(("first", "second"), [(0, 0), (1, 0), (3, 9), (20, 20), (0, 12)])
def test_mcnemars_test_is_the_binomial_one_of_the_bits_that_differ(first: int, second: int) -> None:
    expected = binomtest(first, first + second).pvalue if first + second else 1.0
    assert mcnemar(first, second) == pytest.approx(expected)


def test_the_same_decisions_agree_without_any_room() -> None:
    sent, decided = bits("0000", "1111"), bits("0001", "1011")
    found = paired(sent, decided, decided)
    assert (found.only_first, found.only_second, found.difference, found.p) == (0, 0, 0.0, 1.0)
    assert found.agree
    assert (found.low, found.high) == (0.0, 0.0)


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


def test_receivers_of_one_vector_have_no_interval() -> None:
    found = paired(bits("0101"), bits("0100"), bits("0101"))
    assert found.low == -np.inf
    assert found.high == np.inf
