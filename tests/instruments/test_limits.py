"""A limit names the terminal, the value, the unit and the limit; nothing is ever truncated."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho.errors import LimitError
from mho.instruments import Limits, TerminalLimits
from mho.instruments.limits import SAMPLES

LIMITS = Limits(
    {"bit line": TerminalLimits(3.3, current=1e-3, pulse_width=1e-6), "vector": TerminalLimits(1.0)}
)
STEADY = Limits({"bit line": TerminalLimits(3.3, slew=1e8), "word line": TerminalLimits(4.0, slew=5e4)})
EDGE = 10e-9


@given(st.floats(-3.3, 3.3))
def test_what_lies_within_passes(volts):
    LIMITS.check_voltage("bit line", volts)


@given(st.floats().filter(lambda volts: not abs(volts) <= 3.3))
def test_what_lies_beyond_or_is_no_number_raises(volts):
    with pytest.raises(LimitError):
        LIMITS.check_voltage("bit line", volts)


def test_the_message_says_what_where_how_much_and_what_to_do():
    with pytest.raises(LimitError) as refused:
        LIMITS.check_voltage("bit line", -4.5)
    assert str(refused.value) == (
        "bit line: voltage of -4.5 V exceeds the limit of 3.3 V; lower it, or raise the limit in the bench file if "
        "the chip allows"
    )


def test_a_pulse_is_checked_in_height_and_width():
    LIMITS.check_pulse("bit line", 3.3, 1e-6, EDGE)
    with pytest.raises(LimitError, match=r"pulse width of 2e-06 s exceeds the limit of 1e-06 s"):
        LIMITS.check_pulse("bit line", 3.0, 2e-6, EDGE)
    with pytest.raises(LimitError, match=r"voltage of 3\.4 V"):
        LIMITS.check_pulse("bit line", 3.4, 1e-7, EDGE)
    with pytest.raises(LimitError):
        LIMITS.check_pulse("bit line", 3.0, math.nan, EDGE)


def test_a_pulses_edges_are_limited_and_the_remedy_is_said():
    STEADY.check_pulse("bit line", 1.25, 1e-7, EDGE)
    STEADY.check_pulse("bit line", -3.3, 1e-7, 30e-9)
    with pytest.raises(LimitError) as refused:
        STEADY.check_pulse("bit line", -1.26, 1e-7, EDGE)
    assert str(refused.value) == (
        "bit line: slew of 1.008e+08 V/s exceeds the limit of 1e+08 V/s; give [instruments.pulser] a longer `edge`, or "
        "raise the limit in the bench file if the chip allows"
    )


def test_a_sources_step_counts_from_where_it_stands():
    STEADY.check_level("word line", 2.5)
    with pytest.raises(LimitError, match=r"word line: slew of 52000 V/s .* step there in smaller steps"):
        STEADY.check_level("word line", 2.6)
    STEADY.check_level("word line", 2.6, 1.0)
    with pytest.raises(LimitError, match="slew"):
        STEADY.check_level("word line", 1.5, -1.5)
    with pytest.raises(LimitError, match="slew"):
        STEADY.check_level("word line", -1.5, 1.5)
    with pytest.raises(LimitError, match=r"voltage of -4\.1 V"):
        STEADY.check_level("word line", -4.1, -4.0)


def test_steps_from_one_vector_to_the_next_are_limited_by_the_sample_period():
    limits = Limits({"vector": TerminalLimits(1.0, slew=1e5)})
    rows = np.array([[0.0, 0.0], [0.5, -0.5], [-0.4, 0.4]])
    limits.check_vectors("vector", rows, lambda: 10e-6)
    for few in (0, 1):  # between which there is no step
        limits.check_vectors("vector", rows[:few], lambda: 1e-9)
    with pytest.raises(LimitError, match=r"vector: slew of 112500 V/s .* lower sample rate"):
        limits.check_vectors("vector", rows, lambda: 8e-6)
    with pytest.raises(LimitError, match=r"vector: voltage of 1.1 V"):
        limits.check_vectors("vector", np.full((1, 2), 1.1), lambda: 1.0)
    with pytest.raises(LimitError, match=r"vector: voltage of 1\.2 V"):
        limits.check_vectors("vector", np.array([[0.5, -1.2]]), lambda: 1.0)


@pytest.mark.parametrize("place", [0, SAMPLES - 1, SAMPLES, SAMPLES + 1, 2 * SAMPLES - 1])
def test_no_step_is_missed_where_long_vectors_are_looked_at_in_parts(place):
    limits = Limits({"vector": TerminalLimits(1.0, slew=1e5)})
    rows = np.zeros((3 * SAMPLES, 2))
    rows[place + 1 :, 1] = 0.9
    with pytest.raises(LimitError, match="slew of 112500 V/s"):
        limits.check_vectors("vector", rows, lambda: 8e-6)
    limits.check_vectors("vector", rows, lambda: 9e-6)


@pytest.mark.parametrize(
    ("volts", "said"),
    [
        ([1.0, 0.0, -3.4], "voltage of -3.4 V"),
        ([0.5, 0.5, 0.5, 0.0, 0.5], "pulse width of 3e-06 s"),
        ([0.5, 0.0, 0.5, 0.5, 0.5], "pulse width of 3e-06 s"),
        ([0.5, -0.5, 0.5], "pulse width of 3e-06 s"),
        ([1.3, 0.0], "slew of 1.04e"),
        ([0.0, -1.3], "slew of 1.04e"),
        ([0.7, -0.7], "slew of 1.12e"),
    ],
)
def test_a_waveform_is_looked_at_from_rest_to_rest(volts, said):
    limits = Limits({"bit line": TerminalLimits(3.3, pulse_width=2e-6, slew=1e8)})
    limits.check_waveform("bit line", np.array([0.5, 0.5, 0.0, -0.5, 0.0, 1.25]), 1e-6, EDGE)
    with pytest.raises(LimitError, match=said):
        limits.check_waveform("bit line", np.array(volts), 1e-6, EDGE)


def test_limits_cannot_be_changed_and_are_lifted_for_a_rehearsal_only():
    terminals = {"bit line": TerminalLimits(3.3)}
    limits = Limits(terminals)
    terminals["bit line"] = TerminalLimits(30.0)
    with pytest.raises(LimitError):
        limits.check_voltage("bit line", 4.0)
    with pytest.raises(TypeError):
        limits.terminals["bit line"] = TerminalLimits(30.0)
    limits.lifted().check_voltage("bit line", 1e6)
    with pytest.raises(LimitError, match="has no limits"):
        limits.lifted().check_voltage("gate", 1.0)
    assert (limits.highest("bit line"), limits.highest("gate")) == (3.3, math.inf)


def test_a_negative_current_limit_is_limited_too():
    with pytest.raises(LimitError):
        LIMITS.check_current("bit line", -2e-3)


def test_without_a_slew_limit_nobody_is_asked_for_the_sample_period():
    LIMITS.check_vectors("vector", np.array([[0.0], [1.0]]), lambda: pytest.fail("asked"))


def test_a_current_limit_is_limited_too():
    LIMITS.check_current("bit line", 1e-3)
    with pytest.raises(LimitError, match=r"current of 0.002 A exceeds the limit of 0.001 A"):
        LIMITS.check_current("bit line", 2e-3)
    LIMITS.check_current("vector", 10.0)  # no limit given


def test_a_terminal_without_limits_is_refused_not_trusted():
    with pytest.raises(LimitError, match=r'\'source line\' has no limits: add \[limits."source line"\]'):
        LIMITS.check_voltage("source line", 0.0)
