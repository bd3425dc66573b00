"""Predictions for a run's own digits, their intervals by simulation, and savings in pairs."""

from __future__ import annotations

import numpy as np
import pytest

from mho.errors import InputError
from mho.extensions.optimise.predictions import Prediction, saving
from mho.extensions.optimise.twin import Programming

MEANS = np.array([1.0, 4.0, 8.0])
AMONG = 0.3  # sd among chips


def chip(rng: np.random.Generator, cells: int = 400, digits: np.ndarray | None = None) -> Programming:
    which = rng.integers(0, 3, cells) if digits is None else digits
    pulses = rng.normal(MEANS[which] + AMONG * rng.standard_normal(), 2.0)
    inside = rng.random(len(which)) < 0.98
    return Programming(which, pulses, pulses + 2.0, inside, inside, 0.1, 1.0)


def predicted(rng: np.random.Generator) -> Prediction:
    return Prediction.of([chip(rng) for _ in range(20)], 3, 2)


@pytest.mark.thorough
def test_intervals_hold_what_another_chip_takes_of_other_digits():
    rng = np.random.default_rng(1)
    digits = np.repeat([0, 2, 2], 30)
    held = 0
    for _ in range(400):
        made = predicted(rng).of_run("pulses", digits)
        held += made.holds(float(chip(rng, digits=digits).pulses.mean()))
    assert 0.92 <= held / 400 <= 0.985


def test_the_mean_follows_the_digits_of_the_run():
    made = predicted(np.random.default_rng(2))
    assert made.of_run("pulses", [2, 2]).mean == pytest.approx(8.0, abs=0.3)
    assert made.of_run("reads", [0]).mean == pytest.approx(3.0, abs=0.3)
    assert made.of_run("success", [0, 1]).high == 1.0


def test_chips_that_are_alike_have_no_spread_of_their_own():
    rng = np.random.default_rng(3)
    alike = [
        Programming(w := rng.integers(0, 3, 400), MEANS[w], MEANS[w], w >= 0, w >= 0, 0.1, 1.0)
        for _ in range(5)
    ]
    made = Prediction.of(alike, 3, 2)
    assert made.pulses_chip_sd == 0.0
    assert made.of_run("pulses", [1]).low == made.of_run("pulses", [1]).high == 4.0


def test_it_survives_a_file_and_says_what_one_lacks():
    made = predicted(np.random.default_rng(4))
    assert Prediction.from_plain(made.plain(), "s.toml") == made
    with pytest.raises(InputError, match=r"s\.toml.*`reads_sd`"):
        Prediction.from_plain({k: v for k, v in made.plain().items() if k != "reads_sd"}, "s.toml")
    with pytest.raises(InputError, match="fit together"):
        Prediction.from_plain(made.plain() | {"reads": [1.0]}, "s.toml")


def test_pairs_cancel_what_their_chips_have_in_common():
    rng = np.random.default_rng(5)
    before = rng.uniform(10.0, 20.0, 20)
    paired = saving(before, 0.7 * before)
    assert paired.mean == pytest.approx(0.3)
    assert paired.high - paired.low == pytest.approx(0.0, abs=1e-9)
    loose = saving(before, 0.7 * rng.permutation(before))
    assert loose.high - loose.low > 0.05
    held = [saving(before, before + rng.normal(0.0, 1.0, 20)).holds(0.0) for _ in range(400)]
    assert 0.92 <= np.mean(held) <= 0.98
