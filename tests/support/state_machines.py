"""State machines of hypothesis as tests: a few steps every day, many before a change lands."""

from __future__ import annotations

import unittest

import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine


def daily_and_thorough(
    machine: type[RuleBasedStateMachine], *, examples: int, steps: int, times: int = 20
) -> tuple[type[unittest.TestCase], type[unittest.TestCase]]:
    """Return the tests of a machine: `examples` of `steps` steps, and `times` as many with the mark ``thorough``."""

    def of(examples: int) -> type[unittest.TestCase]:
        chosen = settings(max_examples=examples, stateful_step_count=steps)
        return type("TestCase", (machine.TestCase,), {"settings": chosen})

    return of(examples), pytest.mark.thorough(of(times * examples))
