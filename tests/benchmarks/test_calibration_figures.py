"""Calibrations of hidden chips: how their figures are counted, and that chips are told by their experiments."""

from __future__ import annotations

import pytest

from benchmarks._hidden_experiments import Interval, told_of_hidden
from benchmarks.calibration import beyond_pulses


def test_intervals_are_counted_by_name() -> None:
    held, missed = Interval("drift", -2.0, 0.0, -1.0), Interval("drift", -2.0, 0.0, 1.0)
    figure = beyond_pulses([[held, Interval("read_noise", 1.0, 2.0, 1.5)], [missed], [held]])
    assert figure.value == pytest.approx(75.0)
    assert figure.detail == {"presets": 3, "drift": "2 of 3", "read_noise": "1 of 1"}


def test_no_chip_has_no_share() -> None:
    assert beyond_pulses([]).value == 0.0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_experiments_tell_what_is_hidden() -> None:
    """A chip is formed, programmed, baked and read on the bench, and its run files are calibrated."""
    told = told_of_hidden(0)
    names = {one.name for one in told}
    assert {
        "forming_voltage",
        "forming_spread",
        "read_noise",
        "relaxation",
        "drift",
        "retention_time",
    } <= names
    assert sum(one.held for one in told) >= len(told) - 2
