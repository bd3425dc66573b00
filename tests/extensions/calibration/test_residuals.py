"""Residuals of pulses: a law that is right leaves nothing in them that goes with the pulses, a wrong one does."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from benchmarks._hidden_presets import random_pulses
from mho.errors import ConvergenceError
from mho.extensions.calibration import calibrate, transitions_of
from mho.extensions.calibration.likelihoods.gradual_reset import GradualResets
from mho.extensions.calibration.likelihoods.threshold_reset import ThresholdResets
from mho.extensions.calibration.likelihoods.threshold_set import ThresholdSets
from mho.extensions.calibration.residuals import Misfit, explained, misfit
from mho.extensions.calibration.transitions import Transitions
from mho.instruments.simulated.physics.cells.presets import CELL_PRESETS

RANGES: dict[str, Any] = {
    "stanford35": {"gates": (2.0, 3.4), "sets": (1.8, 3.0), "resets": (1.2, 2.6), "reset_gates": (3.0, 4.2)},
    "pku": {"gates": (1.0, 2.8), "sets": (0.7, 2.2), "resets": (0.8, 2.6), "reset_gates": (1.8, 3.0)},
}


def pulses(chip: str, about: str) -> Transitions:
    """Return pulses on 12 cells of the preset `chip`, as if they were those of another."""
    columns = random_pulses(CELL_PRESETS[chip], 12, 50, 3, **RANGES[chip])
    return transitions_of(columns, asdict(CELL_PRESETS[about]))


def test_deviates_that_go_with_nothing_explain_what_chance_does() -> None:
    rng = np.random.default_rng(1)
    cell = np.repeat(np.arange(20), 15)
    found = []
    for _ in range(100):
        about = tuple(rng.standard_normal((3, 300)))
        own = rng.standard_normal(20)[cell]  # of the cell, for life
        found.append(explained(rng.standard_normal(300) + own, about, cell)[0])
    assert explained(rng.standard_normal(300), about, cell)[1] == 9  # three, their squares and products
    assert np.mean(found) == pytest.approx(9.0, abs=1.3)
    assert np.std(found) == pytest.approx(18.0**0.5, rel=0.3)


def test_deviates_that_go_with_the_pulses_are_found_by_how_much_they_do() -> None:
    rng = np.random.default_rng(2)
    volts, still, cell = rng.uniform(1.0, 2.0, 600), np.full(600, 2.5), np.arange(600) % 20
    bent = (volts - 1.5) ** 2
    noise = bent.std() * rng.standard_normal(600)
    value, freedom = explained(bent + noise, (volts, still), cell)
    assert freedom == 2  # what does not vary is no reason
    assert value / 600 == pytest.approx(0.5, abs=0.08)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("chip", "model", "kind"),
    [
        ("stanford35", ThresholdSets, "sets"),
        ("stanford35", ThresholdResets, "resets"),
        ("pku", GradualResets, "resets"),
    ],
)
def test_the_law_of_the_cells_fits(chip: str, model: Any, kind: str) -> None:
    found = misfit(kind, model, getattr(pulses(chip, chip), kind), asdict(CELL_PRESETS[chip]), {})
    assert not found.wrong
    assert 0.0 < found.value < 2.0 * found.high


@pytest.mark.thorough
def test_another_law_does_not_fit() -> None:
    found = misfit(
        "SET", ThresholdSets, pulses("pku", "stanford35").sets, asdict(CELL_PRESETS["stanford35"]), {}
    )
    assert found.wrong


def test_what_is_no_number_is_not_expected() -> None:
    assert Misfit("SET", float("nan"), 6.0, 26.0).wrong
    assert Misfit("SET", 30.0, 6.0, 26.0).unexpected
    assert not Misfit("SET", 30.0, 6.0, 26.0).wrong
    assert not Misfit("SET", 12.0, 6.0, 26.0).unexpected


@pytest.mark.thorough
def test_a_calibration_says_that_the_law_is_wrong_and_names_the_other_base() -> None:
    preset, told = asdict(CELL_PRESETS["stanford35"]), []
    data = pulses("pku", "stanford35")
    try:
        told += calibrate(data, "stanford35", preset).remarks
    except ConvergenceError as error:
        told.append(str(error))
    (sentence,) = [one for one in told if "do not fit the threshold law" in one]
    assert "try --base pku" in sentence
    assert "is expected" in sentence
