"""The benchmark of optimised policies: peers on the policy's own chips, the best at equal success, intervals in words."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import optimise


@pytest.mark.thorough
def test_a_policy_is_held_to_the_best_peer_at_equal_success(monkeypatch):
    for name, value in {
        "PRESETS": ("stanford",),
        "BUDGET": 2,
        "CHIPS": 5,
        "CELLS": 64,
        "SUCCESS": 0.9,
        "SEEDS": 2,
    }.items():
        monkeypatch.setattr(optimise, name, value)
    figure, mean = optimise.run(1)
    assert figure.name.startswith("stanford, model by evolution")
    assert figure.peer_name in ("ispp", "fppv", "asap")
    assert figure.value < figure.peer_value
    saved = [figure.detail[f"{cost} saved of {figure.peer_name}'s, %"] for cost in ("pulses", "reads")]
    least = 100.0 * (1.0 - optimise.LESS)
    assert figure.met == all(float(one.split()[0]) >= least for one in saved)
    for key in ("found", "model as it is", "ispp", "fppv", "asap", "settings"):
        assert key in figure.detail
    assert "(" in figure.detail[f"both saved of {figure.peer_name}'s, %"]
    assert mean.value == pytest.approx(np.mean(mean.detail["each"]), abs=0.1)
    assert len(mean.detail["each"]) == 2
