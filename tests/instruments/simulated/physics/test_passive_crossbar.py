"""Lines of a passive crossbar: what floats is where Kirchhoff's law puts it, by closed forms of resistors in series."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from mho.instruments.simulated.physics.passive_crossbar import across_cells, line_voltages, settled_voltages

FLOATS = np.nan


def seen(conductance, held):
    """Return the conductance between row 0 and column 0, S."""
    volts = line_voltages(conductance, held)
    across = across_cells(volts, len(conductance))
    return float((conductance * across)[0].sum() / held[0])


def floating(rows, columns, volts=0.2):
    held = np.full(rows + columns, FLOATS)
    held[0], held[rows] = volts, 0.0
    return held


def test_three_resistors_in_series_are_beside_a_cell_of_two_by_two():
    g = np.array([[1e-6, 20e-6], [30e-6, 5e-6]])
    sneak = 1.0 / (1.0 / g[0, 1] + 1.0 / g[1, 1] + 1.0 / g[1, 0])
    assert_allclose(seen(g, floating(2, 2)), g[0, 0] + sneak, rtol=1e-6)


@pytest.mark.parametrize("n", [2, 3, 16, 64])
def test_a_cell_among_equal_ones_has_a_sneak_path_of_three_stages(n):
    siemens, others = 10e-6, n - 1
    stages = 1.0 / (1.0 / (others * siemens) + 1.0 / (others**2 * siemens) + 1.0 / (others * siemens))
    assert_allclose(seen(np.full((n, n), siemens), floating(n, n)), siemens + stages, rtol=1e-6)


@given(st.integers(2, 6), st.integers(2, 6), st.integers(0, 1000))
def test_no_current_enters_a_line_that_floats_and_no_line_is_beyond_the_sources(rows, columns, seed):
    rng = np.random.default_rng(seed)
    g = 10.0 ** rng.uniform(-7, -4, (rows, columns))
    held = np.where(rng.random(rows + columns) < 0.5, rng.uniform(-1, 1, rows + columns), FLOATS)
    held[0], held[-1] = 0.3, -0.4
    volts = line_voltages(g, held)
    flows = g * across_cells(volts, rows)
    into = np.concatenate([flows.sum(axis=1), -flows.sum(axis=0)])
    assert np.abs(into[np.isnan(held)]).max(initial=0.0) < 1e-11
    assert np.abs(volts).max() <= np.nanmax(np.abs(held)) + 1e-9


def test_a_line_with_nothing_on_it_is_at_zero():
    assert_allclose(line_voltages(np.zeros((2, 2)), floating(2, 2)), [0.2, 0.0, 0.0, 0.0])


def test_the_voltages_of_cells_that_are_no_resistors_carry_one_current_through_a_series():
    """Two diode-like cells and one resistor in series: I = g V (1 + V^2/v0^2)."""
    g = np.array([[0.0, 20e-6], [30e-6, 5e-6]])

    def current(volts):
        return g * volts * (1.0 + (volts / 0.3) ** 2)

    volts = settled_voltages(g, floating(2, 2, volts=1.0), current)
    through = current(across_cells(volts, 2))
    assert_allclose([through[0, 1], -through[1, 1], through[1, 0]], through[0, 1], rtol=1e-4)
    assert (
        abs(across_cells(volts, 2)[1, 1] - across_cells(line_voltages(g, floating(2, 2, 1.0)), 2)[1, 1])
        > 0.01
    )
