"""A campaign in numbers, by functions of arrays and of the cards of runs."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mho.analysis.grouping import Group, RunCard
from mho.extensions.report_pages.campaign_facts import (
    all_outliers,
    chosen_groups,
    outliers,
    results_of,
    separation,
    varied,
)
from mho.extensions.report_pages.campaign_page import _results
from mho.extensions.report_pages.documents import Grid
from mho.runs.index import Card, ResultQuantity
from mho.runs.index.card import CardFacts

HALVES = (Group("a", (0, 1, 2)), Group("b", (3, 4, 5)))


def card(preset="pku", seed="1", bits=8, results=(), **facts) -> RunCard:
    found = CardFacts(procedure="Solve", preset=preset, seed=seed, **facts)
    parameters = (
        ResultQuantity("bits", float(bits), str(bits), "bit"),
        ResultQuantity("seed", float(seed), seed),
    )
    return RunCard(Path(f"{preset}-{seed}-{bits}.h5"), Card(found, "finished", "", None, parameters, results))


def test_what_is_varied_is_counted_in_order() -> None:
    runs = [card("pku", "2", 12), card("pku", "1", 8), card("ideal", "10", 12)]
    found = {one.name: one.values for one in varied(runs)}
    assert found == {
        "preset": (("ideal", 1), ("pku", 2)),
        "seed": (("1", 1), ("2", 1), ("10", 1)),
        "bits": (("8 bit", 1), ("12 bit", 2)),
    }


def test_a_seed_of_its_own_is_told_apart_from_that_of_the_run() -> None:
    runs = [card(seed="1"), card(seed="2")]
    other = RunCard(Path("a.h5"), replace(runs[1].card, parameters=(ResultQuantity("seed", 9.0, "9"),)))
    found = {one.name: one.values for one in varied([runs[0], other])}
    assert found["seed"] == (("1", 1), ("2", 1))
    assert found["parameter.seed"] == (("9", 1), ("not there", 1))


def test_groups_are_made_of_all_that_was_varied_but_the_seed_as_long_as_they_are_few() -> None:
    runs = [
        card(preset, str(seed), bits)
        for preset in ("pku", "ideal")
        for seed in (1, 2)
        for bits in (8, 12, 24)
    ]
    assert chosen_groups(varied(runs)) == ("preset", "bits")
    many = [card(preset, "1", bits) for preset in ("pku", "ideal") for bits in range(8, 40)]
    assert chosen_groups(varied(many)) == ("preset",)
    assert chosen_groups(varied([card(seed=str(seed)) for seed in range(1, 5)])) == ()
    assert chosen_groups(varied([card(mho="1"), card(mho="2")])) == ()


def test_what_follows_from_another_parameter_makes_no_groups() -> None:
    runs = [
        card(chip=chip, seed=str(seed), bits=bits) for chip, bits in (("a", 8), ("b", 12)) for seed in (1, 2)
    ]
    assert {one.name for one in varied(runs)} == {"chip", "seed", "bits"}
    assert chosen_groups(varied(runs)) == ("chip",)


def test_results_are_columns_with_gaps_where_a_run_has_none_or_another_unit() -> None:
    runs = [
        card(
            results=(ResultQuantity("gain", 1.0, "1.0", "S"), ResultQuantity("wall_seconds", 9.0, "9", "s"))
        ),
        card(results=(ResultQuantity("gain", 2.0, "2.0", "V"), ResultQuantity("method", None, "cg"))),
        card(results=(ResultQuantity("gain", 3.0, "3.0", "S"),)),
    ]
    values, units = results_of(runs)
    assert units == {"gain": "S"}
    assert values["gain"] == pytest.approx([1.0, np.nan, 3.0], nan_ok=True)


def test_a_group_is_summarised_by_quartiles() -> None:
    values = {"gain": np.array([1.0, 2.0, 3.0, 4.0, 5.0, np.nan, np.nan])}
    groups = (Group("a", tuple(range(6))), Group("b", (6,)))
    (table,) = (one for one in _results(values, {"gain": ""}, groups) if isinstance(one, Grid))
    # runs, median, quartiles, least and largest
    assert [row[1:] for row in table.rows] == [("a", "5", "3", "2", "4", "1", "5"), ("b", "0", *"-----")]


def test_separation_is_1_where_all_scatter_lies_between_the_groups() -> None:
    assert separation(np.array([1.0, 1.0, 1.0, 2.0, 2.0, 2.0]), HALVES) == pytest.approx(1.0)
    assert separation(np.array([1.0, 2.0, 3.0, 1.0, 2.0, 3.0]), HALVES) == 0.0
    # Ranks 1 2 3 | 4 5 6: 2 * 3 * 1.5^2 of 17.5
    assert separation(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), HALVES) == pytest.approx(13.5 / 17.5)
    assert separation(np.array([1.0, 2.0, 3.0, np.nan, np.nan, np.nan]), HALVES) == 0.0


def test_a_value_beyond_three_distances_between_quartiles_stands_apart() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 20.0])
    lower, upper = np.quantile(values, (0.25, 0.75))
    (found,) = outliers(values, range(6), "all", "error")
    assert (found.run, found.value, found.median) == (5, 20.0, 3.5)
    assert found.distance == pytest.approx((20.0 - upper) / (upper - lower))
    assert not list(outliers(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 9.0]), range(6), "all", "error"))
    assert not list(outliers(np.array([1.0, 1.0, 1.0, 9.0]), range(4), "all", "error"))  # too few runs


def test_where_nothing_scatters_few_runs_stand_apart_many_do_not() -> None:
    one = np.append(np.zeros(39), 1.0)
    assert [(found.run, found.distance) for found in outliers(one, range(40), "all", "failed")] == [
        (39, math.inf)
    ]
    assert not list(outliers(np.append(np.zeros(37), np.ones(3)), range(40), "all", "failed"))


def test_a_run_is_named_once_with_the_result_in_which_it_stands_apart_most() -> None:
    base = np.arange(40.0)
    far, farther = base.copy(), base.copy()
    far[7], farther[7], farther[9] = 500.0, 900.0, 200.0
    found = all_outliers({"a": far, "b": farther}, [Group("all", tuple(range(40)))])
    assert [(one.run, one.result) for one in found] == [(7, "b"), (9, "b")]
