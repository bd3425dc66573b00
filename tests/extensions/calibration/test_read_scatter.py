"""How far two reads of a cell lie apart: noise in proportion to the conductance or levelling off, relaxation, jumps."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from mho.extensions.calibration.transitions import read_scatter, relaxation_scatter
from mho.instruments.simulated import CELL_PRESETS
from mho.instruments.simulated.physics.cells.relaxation import numbers, relaxed

STATES = np.array([2e-6, 10e-6, 40e-6])  # S


@pytest.mark.parametrize("base", ["pku", "quiet", "stanford", "relaxing"])
def test_noise_is_in_proportion_to_the_conductance_up_to_where_it_levels_off(base: str) -> None:
    preset = asdict(CELL_PRESETS[base]) | {"relaxation": 0.0}
    full = preset["noise_full"] or np.inf
    noise = preset["read_noise"] * STATES / (1.0 + STATES / full)
    still, landing = read_scatter(STATES, STATES, np.ones(3), preset)
    assert still == pytest.approx(np.hypot(0.8 * noise, 1e-3 * STATES))
    assert landing == pytest.approx(np.hypot(noise, 1e-3 * STATES))


@pytest.mark.parametrize("age", [0.01, 0.1, 1.0])
def test_relaxation_by_jumps_scatters_as_that_of_the_cells_does(age: float) -> None:
    preset, rng = CELL_PRESETS["relaxing"], np.random.default_rng(1)
    for state in STATES:
        start = np.full(200_000, state, np.float32)
        later = relaxed(preset, start, numbers(rng, start.shape), np.full(start.shape, age, np.float32))
        found = float(relaxation_scatter(state, np.float64(age), asdict(preset)))  # type: ignore[arg-type]
        assert found == pytest.approx(float(later.std()), rel=0.3)


def test_few_have_jumped_right_after_a_pulse() -> None:
    preset = asdict(CELL_PRESETS["relaxing"])
    soon, later = (relaxation_scatter(STATES, np.full(3, age), preset) for age in (1e-4, 1.0))
    assert (soon < 0.01 * later).all()
