"""Results over a swept parameter: which parameter, which results, and where the medians and whiskers lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mho.analysis.grouping import RunCard
from mho.extensions.report_pages.campaign_facts import moved_results, results_of, swept, varied
from mho.extensions.report_pages.campaign_page import swept_pictures
from mho.runs.index import Card, ResultQuantity
from mho.runs.index.card import CardFacts


def card(bits: float, seed: int, preset: str = "pku", wait: float = 0.0, **results: float) -> RunCard:
    parameters = (
        ResultQuantity("bits", bits, f"{bits:g}", "bit"),
        ResultQuantity("wait", wait, f"{wait:g}", "s"),
        ResultQuantity("certify", float(seed % 2), ("false", "true")[seed % 2]),
    )
    found = tuple(ResultQuantity(name, value, f"{value:g}", "S") for name, value in results.items())
    facts = CardFacts(procedure="Solve", preset=preset, seed=str(seed))
    return RunCard(Path(f"{bits}-{seed}.h5"), Card(facts, "finished", "", None, parameters, found))


@pytest.fixture
def runs() -> list[RunCard]:
    return [
        card(
            bits,
            seed,
            preset,
            gain=bits + 0.1 * seed,
            twice=2.0 * bits + 0.2 * seed,
            luck=float(seed),
            asked=bits,
        )
        for preset in ("pku", "ideal")
        for bits in (8.0, 12.0, 24.0)
        for seed in (1, 2, 3, 4, 5)
    ]


def test_a_number_that_was_varied_is_swept_and_words_and_seeds_are_not(runs):
    found = swept(varied(runs), runs)
    assert list(found) == ["bits"]
    assert np.unique(found["bits"]).tolist() == [8.0, 12.0, 24.0]


def test_two_values_and_a_value_of_each_run_make_no_figure(runs):
    assert swept(varied(runs[:10]), runs[:10]) == {}
    each = [card(8.0, seed, wait=float(seed)) for seed in range(1, 6)]
    assert swept(varied(each), each) == {}


def test_results_that_go_together_or_are_the_parameter_are_drawn_once(runs):
    values, _ = results_of(runs)
    bits = swept(varied(runs), runs)["bits"]
    assert moved_results(bits, values) == ["gain"]


def test_results_without_a_value_in_some_runs_are_ranked_by_the_others():
    bits = np.repeat([8.0, 12.0, 24.0], 4)
    gain = np.where(np.arange(12) % 4 == 0, np.nan, -bits)
    assert moved_results(bits, {"gain": gain, "same": np.ones(12), "missing": np.full(12, np.nan)}) == [
        "gain"
    ]


def test_medians_and_quartiles_stand_over_the_parameter_a_colour_a_preset(runs):
    found = varied(runs)
    values, _ = results_of(runs)
    (picture,) = swept_pictures(runs, found, ("preset", "bits"), values)
    assert picture.drawing.title == "Gain over bits"
    (panel,) = picture.drawing.panels
    named = {mark.label: mark for mark in panel.marks if mark.label}
    assert sorted(named) == ["ideal (15 runs)", "pku (15 runs)"]
    middle = named["pku (15 runs)"]
    assert middle.x == pytest.approx([8.0, 12.0, 24.0])
    assert middle.y == pytest.approx([8.3, 12.3, 24.3])
    whiskers = next(mark for mark in panel.marks if mark.low is not None and len(mark.low))
    assert whiskers.low == pytest.approx([8.2, 12.2, 24.2])
    assert whiskers.high == pytest.approx([8.4, 12.4, 24.4])
