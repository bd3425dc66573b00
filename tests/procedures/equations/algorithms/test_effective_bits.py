"""Effective bits: those of an ideal converter are its own, and an error twice as large costs one."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mho.procedures.equations.algorithms.sum_errors import effective_bits


@pytest.mark.parametrize("bits", [4, 8, 12])
def test_an_ideal_converter_has_as_many_effective_bits_as_bits(bits: int) -> None:
    values = np.random.default_rng(bits).uniform(-1.0, 1.0, 200_000)
    step = 2.0 / 2**bits
    errors = step * np.rint(values / step) - values
    assert effective_bits(2.0, float(np.sqrt(np.mean(errors**2)))) == pytest.approx(bits, abs=0.01)


def test_twice_the_error_costs_a_bit_and_no_error_has_no_number() -> None:
    assert effective_bits(7.0, 0.1) - effective_bits(7.0, 0.2) == pytest.approx(1.0)
    assert math.isnan(effective_bits(7.0, 0.0))
    assert math.isnan(effective_bits(0.0, 0.1))
