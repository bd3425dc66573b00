"""The goal of a solution: bits that are proved, or a tolerance of the residual, and nothing beside."""

from __future__ import annotations

import numpy as np
import pytest

from mho.procedures.equations.certificates.certificate import Certificate
from mho.procedures.equations.planning.linear_system import Goal


def certificate(residual: float = 0.0, bits: float = 24.0) -> Certificate:
    return Certificate(residual, 4.0, 1.0, 2.0**-bits, bits)


def test_a_tolerance_is_met_by_what_is_not_above_it() -> None:
    goal = Goal(24, 1e-6)
    assert goal.met(certificate(4e-6))  # relative to ||b|| = 4
    assert not goal.met(certificate(4e-6 * (1.0 + 1e-9)))
    assert goal.met(certificate(4e-6, bits=0.0)), "the bits are not asked for"
    assert not goal.met(certificate(8e-6))


def test_bits_are_met_by_as_many_and_a_tolerance_of_0_is_one() -> None:
    goal = Goal(24, None)
    assert goal.met(certificate(1.0, bits=24.0))
    assert not goal.met(certificate(0.0, bits=np.nextafter(24.0, 0.0)))
    assert Goal(24, 0.0).met(certificate(0.0, bits=0.0))
    assert not Goal(24, 0.0).met(certificate(1e-30, bits=53.0))


@pytest.mark.parametrize(
    ("goal", "words"),
    [
        (Goal(24, None), "20.0 of 24 bits are proved"),
        (Goal(24, 1e-6), "the residual is 1.00e-03, the tolerance 1e-06"),
    ],
)
def test_what_was_reached_is_said_in_the_goal_s_own_terms(goal: Goal, words: str) -> None:
    assert goal.reached(certificate(4e-3, bits=20.0)) == words
