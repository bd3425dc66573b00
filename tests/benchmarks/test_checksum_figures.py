"""The benchmark of checksum columns, at a small size: what it counts, and that it says so where a target is missed."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import checksums
from mho.chip_maps.checksums import ChecksumCode


@pytest.fixture
def small(monkeypatch):
    for name, value in {
        "INJECTED": 7000, "SIZES": (8,), "PRESETS": ("relaxing",), "STUCK": (0.01,), "CHIP_SIZE": 8, "PRODUCTS": 1,
    }.items():  # fmt: skip
        monkeypatch.setattr(checksums, name, value)


@pytest.mark.thorough
def test_wrong_integers_are_found_at_the_cost_that_is_told(small):
    injected, false, chips, found, alarms, read, columns = checksums.run(1)
    assert injected.met
    assert set(injected.detail) == set(checksums.FAULTS)
    assert (false.value, false.met) == (0.0, True)
    assert chips.value == 0.0 < chips.peer_value
    assert found.value == 100.0
    assert (alarms.value, alarms.met) == (0.0, True)
    assert 10.0 < columns.value < 15.0
    assert read.value > 15.0  # two products do not pay for calibrating a drifted tile again
    assert read.met is False


@pytest.mark.thorough
def test_blind_checksums_miss_the_target(small, monkeypatch):
    monkeypatch.setattr(ChecksumCode, "syndrome", lambda code, integers, lines: np.zeros(len(integers), int))
    injected, _, chips, found, *_ = checksums.run(1)
    assert injected.value == 0.0
    assert injected.met is found.met is False
    assert chips.value > 0.0
