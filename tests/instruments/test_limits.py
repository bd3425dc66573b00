"""A limit names the terminal, the value, the unit and the limit; nothing is ever truncated."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruments import Limits, TerminalLimits
from mho_errors import LimitError

LIMITS = Limits(
    {"bit line": TerminalLimits(3.3, current=1e-3, pulse_width=1e-6), "vector": TerminalLimits(1.0)}
)


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
    LIMITS.check_pulse("bit line", 3.3, 1e-6)
    with pytest.raises(LimitError, match=r"pulse width of 2e-06 s exceeds the limit of 1e-06 s"):
        LIMITS.check_pulse("bit line", 3.0, 2e-6)
    with pytest.raises(LimitError, match=r"voltage of 3\.4 V"):
        LIMITS.check_pulse("bit line", 3.4, 1e-7)
    with pytest.raises(LimitError):
        LIMITS.check_pulse("bit line", 3.0, math.nan)


def test_a_current_limit_is_limited_too():
    LIMITS.check_current("bit line", 1e-3)
    with pytest.raises(LimitError, match=r"current of 0.002 A exceeds the limit of 0.001 A"):
        LIMITS.check_current("bit line", 2e-3)
    LIMITS.check_current("vector", 10.0)  # no limit given


def test_a_terminal_without_limits_is_refused_not_trusted():
    with pytest.raises(LimitError, match=r'\'source line\' has no limits: add \[limits."source line"\]'):
        LIMITS.check_voltage("source line", 0.0)
