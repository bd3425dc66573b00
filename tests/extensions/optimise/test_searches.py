"""The searches: each goes to the least of a bowl, its first point is the start, and a seed gives the same points again."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest
from daily import daily

from mho.errors import InputError
from mho.extensions.optimise.search_space import SEARCHES

START = np.full(6, 0.5)
LEAST = np.array([0.2, 0.8, 0.5, 0.35, 0.6, 0.7])
WITHOUT = "bayesian" in SEARCHES and importlib.util.find_spec("optuna") is None
KINDS = ["evolution", pytest.param("bayesian", marks=pytest.mark.skipif(WITHOUT, reason="needs optuna"))]


def searched(kind: str, seed: int, batches: int = 12) -> tuple[np.ndarray, list[float]]:
    search = SEARCHES[kind](START, seed)
    points, values = [], []
    for _ in range(batches):
        some = search.ask(12)
        found = [float(np.square(one - LEAST).sum()) for one in some]
        search.tell(some, found)
        points += some
        values += found
    return np.array(points), values


@pytest.mark.parametrize("kind", daily(KINDS, ["evolution"]))
def test_it_finds_what_is_better_than_the_start_and_than_chance(kind):
    points, values = searched(kind, 1)
    assert np.array_equal(points[0], START)
    assert points.min() >= 0.0
    assert points.max() <= 1.0
    chance = np.square(np.random.default_rng(1).random((len(values), 6)) - LEAST).sum(axis=1).min()
    assert min(values) < 0.5 * min(values[0], chance)


@pytest.mark.thorough
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_proposes_the_same_points(kind):
    assert np.array_equal(searched(kind, 3, 3)[0], searched(kind, 3, 3)[0])
    assert not np.array_equal(searched(kind, 3, 3)[0], searched(kind, 4, 3)[0])


def test_without_optuna_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(InputError, match=r"^the search `bayesian` needs optuna: .*, or leave --search out$"):
        SEARCHES["bayesian"](START, 1)
