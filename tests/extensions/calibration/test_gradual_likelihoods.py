"""The likelihoods of the gradual law, held to the simulated cells and to closed forms."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from daily import daily
from scipy.stats import norm

from benchmarks._hidden_presets import random_pulses
from mho.extensions.calibration import sought, transitions_of
from mho.extensions.calibration.advice import helping
from mho.extensions.calibration.likelihoods.gradual_reset import GradualResets, falling, lowered
from mho.extensions.calibration.likelihoods.gradual_set import GradualSets, landing
from mho.extensions.calibration.transitions import NOISE, Sequences, Transitions
from mho.instruments.simulated.physics.cells.presets import CELL_PRESETS
from mho.instruments.simulated.physics.cells.switching import GradualLaw, after_set

PKU = CELL_PRESETS["pku"]
PARAMETERS: dict[str, Any] = asdict(PKU)


def one_pulse_each(after: np.ndarray, before: float, voltage: float, gate: float) -> Sequences:
    """Return the same pulse on many cells, each of which was read at another conductance after it."""
    shape = (1, len(after))
    full = lambda value: np.full(shape, value)  # noqa: E731
    return Sequences(
        full(voltage), full(100e-9), full(gate), full(before), after[None], full(True), full(0.004 * before),
        0.006 * after[None], np.zeros(len(after), bool), np.arange(len(after)),
    )  # fmt: skip


@pytest.fixture(scope="module")
def pulses() -> Transitions:
    """Pulses on 12 cells of the preset `pku`."""
    columns = random_pulses(
        PKU, 12, 60, 3, gates=(1.0, 2.8), sets=(0.7, 2.2), resets=(0.8, 2.6), reset_gates=(1.8, 3.0)
    )
    return transitions_of(columns, PARAMETERS)


@pytest.mark.parametrize("preset", ["pku", "quiet"])
def test_a_set_raises_a_cell_as_the_simulated_one(preset: str) -> None:
    rng, law = np.random.default_rng(1), GradualLaw(CELL_PRESETS[preset])
    before, gate = rng.uniform(0.3e-6, 15e-6, 200), rng.uniform(1.4, 2.8, 200)
    draw, factor = np.abs(rng.standard_normal(200)), np.exp(0.14 * rng.standard_normal(200))
    limit = law.compliance(gate, 2.0, 100e-9, factor, 0.0, 0.0, draw)
    rises, growth, spread = landing(asdict(CELL_PRESETS[preset]), limit, before, 1e-4 * before)
    clear = limit > 1.05 * before
    assert (rises[clear] == 1.0).all()
    raised = (before + 0.9 * (growth + spread * draw))[clear]
    np.testing.assert_allclose(raised, after_set(law, before, limit, 0.9, draw)[clear], rtol=1e-6)


def test_a_fall_is_that_of_the_simulated_cells() -> None:
    rng, law = np.random.default_rng(2), GradualLaw(replace(PKU, floor=1e-9))
    voltage, deviate, draw = rng.uniform(1.4, 1.9, 100), rng.standard_normal(100), rng.standard_normal(100)
    after = law.after_reset(20e-6, voltage, 200e-9, deviate, 0.0, draw, draw)
    drop = PKU.reset_slope * (voltage - PKU.reset_threshold - PKU.reset_threshold_spread * deviate) * 2.0**0.5
    found = falling(np.log(20e-6 / after), drop, PKU.reset_cycle_spread, np.full(100, 1e-4))
    np.testing.assert_allclose(found[0], draw, atol=1e-3)


@pytest.mark.parametrize(
    ("bottom", "drop"), [(-4.0, 0.003), (-4.0, 0.02), (-4.0, 1.0), (-0.1, 0.1), (0.1, 0.5), (-1.0, 1.2)]
)
def test_the_density_after_a_reset_is_the_integral_over_its_draw(bottom: float, drop: float) -> None:
    """At the floor, in mid-fall, where the read hides the fall, and where a cell is below its floor."""
    draws = np.linspace(-7.0, 7.0, 40001)
    weights = norm.pdf(draws) * (draws[1] - draws[0])
    end = np.maximum(-drop * np.exp(PKU.reset_cycle_spread * draws), bottom - PKU.floor_spread * draws)
    for seen in np.unique(np.minimum([0.0, -0.01, -0.5 * drop, -drop, bottom, bottom - 0.1], 0.0)):
        still = np.log(sum(share * norm.pdf(seen, 0.0, 0.004 * width) for share, width in NOISE) + 1e-200)
        read = sum(share * norm.pdf(seen, end, 0.006 * width) for share, width in NOISE)
        exact = (weights * np.where(end < 0.0, read, np.exp(still))).sum()
        values = (np.array(value) for value in (0.0, seen, 0.006, still, drop, bottom))
        if exact > 1e-3:
            assert float(lowered(PARAMETERS, *values)) == pytest.approx(exact, rel=0.06)


@pytest.mark.parametrize(
    ("before", "voltage", "gate"), daily([(1e-6, 2.0, 1.5), (20e-6, 2.0, 1.4), (50e-6, 2.0, 2.8)], 1)
)
def test_the_density_after_a_set_adds_up_to_one(before: float, voltage: float, gate: float) -> None:
    after = np.linspace(0.0, 110e-6, 1501)[1:]
    sets = GradualSets(one_pulse_each(after, before, voltage, gate), PARAMETERS)
    sets.recentre({})
    density = np.exp(sets.log_likelihood({}))
    assert np.trapezoid(density, after) == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize(
    ("before", "voltage"), daily([(20e-6, 0.8), (20e-6, 1.4), (0.5e-6, 1.0), (0.36e-6, 2.4)], 1)
)
def test_the_density_after_a_reset_adds_up_to_one(before: float, voltage: float) -> None:
    after = before * np.exp(np.arange(-5.5, 0.4, 0.003))
    resets = GradualResets(one_pulse_each(after, before, voltage, 2.5), PARAMETERS)
    resets.recentre({})
    density = np.exp(resets.log_likelihood({}))
    assert np.trapezoid(density, after) == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize(
    ("name", "factor"),
    daily([
        ("set_slope", 1.2), ("maximum", 1.1), ("set_time", 1.3), ("set_acceleration", 1.2),
        ("set_cycle_spread", 1.4), ("reset_slope", 1.1), ("reset_cycle_spread", 1.4), ("floor", 1.3),
        ("floor_spread", 2.0),
    ], 5),
)  # fmt: skip
def test_a_likelihood_prefers_the_preset_that_it_was_drawn_from(
    pulses: Transitions, name: str, factor: float
) -> None:
    for model, seen in ((GradualSets, pulses.sets), (GradualResets, pulses.resets)):
        if name.startswith(("set", "maximum")) == (model is GradualSets):
            true, other = (
                _value(model, seen, changed) for changed in ({}, {name: factor * PARAMETERS[name]})
            )
            assert other < true - 2.0


def test_a_reset_needs_its_gate_and_no_more() -> None:
    after = np.linspace(5e-6, 15e-6, 5)

    def likelihood(gate: float) -> np.ndarray:
        resets = GradualResets(one_pulse_each(after, 16e-6, 2.0, gate), PARAMETERS)
        return resets.log_likelihood({})

    np.testing.assert_array_equal(likelihood(PKU.reset_gate), likelihood(PKU.reset_gate + 0.5))
    assert (likelihood(PKU.reset_gate - 0.1) < likelihood(PKU.reset_gate) - 1.0).any()


def test_cells_at_the_maximum_do_not_tell_it() -> None:
    """Whether a pulse could raise them is up to the error of a read that the next one repeats."""
    top = PKU.maximum * (1.0 + np.array([-0.008, -0.002, 0.0, 0.003, 0.009]))
    sets = GradualSets(one_pulse_each(top, PKU.maximum, 2.0, 2.8), PARAMETERS)
    lower = GradualSets(one_pulse_each(top, 0.9 * PKU.maximum, 2.0, 2.8), PARAMETERS)
    for model in (sets, lower):
        model.recentre({})
    here, there = ({"maximum": share * PKU.maximum} for share in (0.998, 1.002))
    np.testing.assert_array_equal(sets.log_likelihood(here), sets.log_likelihood(there))
    assert (np.abs(lower.log_likelihood(here) - lower.log_likelihood(there)) > 1e-3).any()


def _value(model: Any, seen: Sequences, changed: dict[str, float]) -> float:
    cells = model(seen, PARAMETERS)
    cells.recentre(changed)
    return float(cells.log_likelihood(changed).sum())


@pytest.mark.thorough
def test_grids_stay_where_they_fit_and_come_back_from_far(pulses: Transitions) -> None:
    for model, seen, far in (
        (GradualSets, pulses.sets, {"set_threshold": 0.9, "set_slope": 60e-6}),
        (GradualResets, pulses.resets, {"reset_threshold": 1.2, "reset_slope": 4.0}),
    ):
        cells = model(seen, PARAMETERS)
        cells.recentre({})
        here = cells.log_likelihood({})
        cells.recentre({})
        np.testing.assert_array_equal(cells.log_likelihood({}), here)
        cells.recentre(far)
        cells.recentre({})
        np.testing.assert_allclose(cells.log_likelihood({}), here, atol=0.3)


def test_what_a_base_has_not_is_not_sought() -> None:
    assert "landing" not in sought(PARAMETERS)
    assert "landing" in sought(asdict(CELL_PRESETS["quiet"]))
    assert "gate_rise" not in helping((), "gradual")
    assert "floor_spread" in helping((), "gradual")


def test_a_virgin_cell_whose_meter_is_off_zero_is_not_a_formed_one() -> None:
    """A meter with an offset reads 30 nS of cells of 1 nS; a formed cell of a low floor remains formed."""
    read = np.array([30e-9, 28e-9, 25e-6, 30e-9, 20e-6])
    kind = np.array([0, 1, 1, 2, 1])
    count = len(read)
    columns = {"time": np.arange(count) * 1e-3, "kind": kind, "conductance": read}
    columns |= {name: np.zeros(count) for name in ("array", "row", "column")}
    columns |= {
        name: np.full(count, value) for name, value in (("voltage", 3.3), ("width", 1e-6), ("gate", 1.6))
    }
    found = transitions_of(columns, PARAMETERS)
    assert found.forming.count == 2
    assert found.sets.count == 1
    assert found.resets.count == 1
