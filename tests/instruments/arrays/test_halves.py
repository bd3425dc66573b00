"""Large batches in halves: the same on one core as on two, and halves that share cells one after the other."""

from __future__ import annotations

import os

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from mho.instruments import open_bench
from mho.instruments.arrays.halves import Halves
from mho.instruments.arrays.roles import LARGE


def draws(part: slice, rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal(part.stop - part.start)


@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize("cores", [{0}, {0, 1}])
def test_what_halves_draw_does_not_depend_on_cores(monkeypatch, apart, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: cores, raising=False)
    halves = Halves(np.random.default_rng(3))
    found = [np.concatenate(halves.run(draws, 7, apart=apart)) for _ in range(2)]
    first, second = np.random.default_rng(3).spawn(2)
    for each in found:
        assert_array_equal(each, [*first.standard_normal(3), *second.standard_normal(4)])


@pytest.mark.parametrize("cores", [{0}, {0, 1}])
def test_an_error_in_either_half_is_raised(monkeypatch, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: cores, raising=False)

    def fails(part: slice, rng: np.random.Generator) -> None:
        if part.start:
            raise ValueError("the second half")

    with pytest.raises(ValueError, match="the second half"):
        Halves(np.random.default_rng(0)).run(fails, 2, apart=True)


def played(order: np.ndarray) -> np.ndarray:
    """Return what 8 blocks answer, each as often and when `order` has it."""
    shots = 2 * LARGE // (32 * len(order))
    rows = np.tile(np.arange(32), (8, 1))
    columns = np.arange(256).reshape(8, 32)
    volts = np.random.default_rng(1).uniform(0.0, 0.2, (len(order), shots, 32))
    with open_bench("arrays", preset="pku", seed=5) as bench:
        found = [bench.multiply_blocks("multiply", rows[order], columns[order], volts) for _ in range(3)]
        assert bench.arrays.chip.apart("multiply", rows[order], columns[order]) == (len(set(order)) == 8)
    return np.stack(found)


@pytest.mark.parametrize("order", [np.arange(8), np.array([0, 1, 2, 3, 0, 1, 2, 3])], ids=["apart", "shared"])
def test_many_blocks_answer_the_same_on_one_core_as_on_two(monkeypatch, order):
    answers = []
    for cores in ({0}, {0, 1}):
        monkeypatch.setattr(os, "sched_getaffinity", lambda process, cores=cores: cores, raising=False)
        answers.append(played(order))
    assert_array_equal(*answers)
    assert np.ptp(answers[0], axis=0).max() > 0.0  # noise moves on
