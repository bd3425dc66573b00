"""The I-V law of a cell: its rated point, the gap, the transistor, and its sum over blocks as polynomials."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from mho.instruments.simulated.physics.cells.conduction import cell_current, conductance_at, excess_currents
from mho.instruments.simulated.physics.cells.presets import CELL_PRESETS, CellPreset

PKU = replace(CELL_PRESETS["pku"], nonlinearity=1.0)
BARE = replace(PKU, transistor_slope=0.0)  # no transistor in series
OHMIC = replace(PKU, hopping_voltage=1e3)  # the transistor alone
CELLS = np.array([0.37e-6, 5e-6, 20e-6, 35e-6])
K, OVER = PKU.transistor_slope, PKU.rated_gate - PKU.gate_threshold

Line = Literal["bit line", "source line"]


@pytest.mark.parametrize("name", sorted(CELL_PRESETS))
def test_at_the_rated_read_every_cell_is_what_it_is_called(name: str) -> None:
    preset = replace(CELL_PRESETS[name], nonlinearity=1.0)
    g = np.geomspace(1e-9, preset.maximum, 20)
    assert_allclose(cell_current(preset, g, preset.rated_voltage, preset.rated_gate), 0.2 * g, rtol=1e-9)


def test_packaged_cells_are_lines() -> None:
    for preset in CELL_PRESETS.values():
        assert_allclose(cell_current(preset, CELLS, 0.4, 1.0), 0.4 * CELLS, rtol=0.0)


def test_hrs_follows_sinh_and_lrs_a_line() -> None:
    thin, thick = 1e-12, 1.0  # S, far below and above the conductance at which half is ohmic
    scale = BARE.hopping_voltage
    found = cell_current(BARE, np.array([thin, thick]), 0.4, 2.5)
    assert found[0] == pytest.approx(thin * 0.2 * np.sinh(0.4 / scale) / np.sinh(0.2 / scale), rel=1e-6)
    assert found[1] == pytest.approx(0.4 * thick, rel=1e-5)


def test_a_cell_between_them_conducts_both_ways() -> None:
    g, scale = BARE.ohmic_conductance, BARE.hopping_voltage
    by_hand = [0.5 * volts + 0.5 * scale * np.sinh(volts / scale) for volts in (0.4, 0.2)]
    assert cell_current(BARE, g, 0.4, 2.5) == pytest.approx(0.2 * g * by_hand[0] / by_hand[1], rel=1e-9)


@given(g=st.floats(1e-6, 60e-6), volts=st.floats(-0.4, 0.4), gate=st.floats(1.3, 3.0))
def test_filament_and_transistor_carry_the_same_current(g: float, volts: float, gate: float) -> None:
    # An ohmic filament r behind the square law: k (o u - u^2/2) = (V - u)/r, a quadratic equation in u.
    rated = OVER - np.sqrt(OVER**2 - 2.0 * 0.2 * g / K)
    r, over = (0.2 - rated) / (0.2 * g), gate - PKU.gate_threshold
    b = over + 1.0 / (K * r)
    u = b - np.sqrt(b**2 - 2.0 * volts / (K * r))
    assert cell_current(OHMIC, g, volts, gate) == pytest.approx((volts - u) / r, rel=1e-5, abs=1e-14)


def test_a_transistor_that_is_hardly_on_saturates() -> None:
    gate = PKU.gate_threshold + 0.05
    assert_allclose(cell_current(PKU, 60e-6, [0.3, 0.4], gate), 0.5 * K * 0.05**2, rtol=1e-9)


def test_a_driven_source_line_takes_gate_voltage_away_and_a_negative_one_gives_it() -> None:
    g = 35e-6
    up, down = (abs(float(cell_current(PKU, g, volts, 1.5, "source line"))) for volts in (0.4, -0.4))
    bit = float(cell_current(PKU, g, 0.4, 1.5))
    assert up < bit < down
    # With its ends exchanged the same cell carries the same current: b at V and a at 0 is a at -V and b at 0, gate V lower.
    assert up == pytest.approx(-float(cell_current(PKU, g, -0.4, 1.5 - 0.4)), rel=1e-9)


def test_half_of_the_law_is_half_of_its_deviation() -> None:
    half = replace(PKU, nonlinearity=0.5)
    whole = cell_current(PKU, CELLS, 0.4, 2.5)
    assert_allclose(cell_current(half, CELLS, 0.4, 2.5), 0.5 * (whole + 0.4 * CELLS), rtol=1e-12)
    assert whole[0] > 1.25 * 0.4 * CELLS[0], "or there is no deviation to halve"


def test_a_read_through_wires_is_that_of_cell_and_wires_in_series() -> None:
    g, wires = 20e-6, 2e3
    across = 0.4
    for _ in range(60):
        across = 0.4 - wires * float(cell_current(PKU, g, across, 2.5))
    exact = float(cell_current(PKU, g, across, 2.5)) / 0.4
    found = conductance_at(PKU, g, wires, 0.4, 2.5)
    assert found / (1.0 + found * wires) == pytest.approx(exact, rel=1e-3)
    assert exact > 1.05 * g / (1.0 + g * wires), "a linear cell reads less by more than the tolerance"


# --- many cells ---


def summed(preset: CellPreset, cells: np.ndarray, volts: np.ndarray, gate: float, line: Line) -> np.ndarray:
    """Return what each of `cells` (inputs, outputs) adds to I = G V at `volts` (samples, inputs), one by one."""
    at = volts[:, :, None]
    return np.asarray((cell_current(preset, cells, at, gate, line) - cells * at).sum(axis=1))


@pytest.mark.parametrize("line", ["bit line", "source line"])
@pytest.mark.parametrize("drive", [1.0, -1.0, 1 / 16])
def test_polynomials_are_the_law(line: Line, drive: float) -> None:
    rng = np.random.default_rng(1)
    cells, volts = rng.uniform(0.3e-6, 35e-6, (6, 4)), rng.uniform(-0.4, 0.4, (30, 6))
    found = excess_currents(PKU, cells, cells, 2.0, line, 0.4, drive)
    assert found is not None
    expected = summed(PKU, cells, drive * volts, 2.0, line)
    assert_allclose(found.currents(volts), expected, atol=1e-5 * np.abs(expected).max())
    step = 1e-6
    ahead, behind = (found.currents(volts + side * step * np.eye(6)[2]) for side in (1.0, -1.0))
    slope = (ahead - behind) / (2.0 * step)
    assert_allclose(found.slopes(volts)[:, :, 2], slope, atol=1e-4 * np.abs(slope).max())


def test_beyond_its_reach_the_excess_stays() -> None:
    found = excess_currents(PKU, np.array([[1e-6]]), np.array([[1e-6]]), 2.5, "bit line", 0.4)
    assert found is not None
    assert_allclose(found.currents(np.array([[0.5], [4.0]])), found.currents(np.array([[0.4], [0.4]])))
    assert found.slopes(np.array([[0.5]]))[0, 0, 0] == 0.0


def test_wires_take_voltage_and_current_from_it() -> None:
    g, ohms = np.array([[20e-6]]), 1e3
    transfer = g / (1.0 + g * ohms)
    across = 0.4
    for _ in range(60):
        across = 0.4 - ohms * float(cell_current(PKU, g, across, 2.5)[0, 0])
    exact = float(cell_current(PKU, g, across, 2.5)[0, 0]) - 0.4 * float(transfer[0, 0])
    found = excess_currents(PKU, g, transfer, 2.5, "bit line", 0.4)
    without = excess_currents(PKU, g, g, 2.5, "bit line", 0.4)
    assert found is not None
    assert without is not None
    volts = np.array([[0.4]])
    assert found.currents(volts)[0, 0] == pytest.approx(exact, rel=0.01)
    assert without.currents(volts)[0, 0] > 1.05 * exact


def test_where_there_is_no_cell_there_is_no_current() -> None:
    cells = np.array([[0.0, 1e-6]])
    found = excess_currents(PKU, cells, cells, 2.5, "bit line", 0.4)
    assert found is not None
    currents = found.currents(np.array([[0.4]]))[0]
    assert currents[0] == 0.0
    assert currents[1] > 0.1e-6


def test_linear_cells_have_none() -> None:
    g = np.full((2, 2), 1e-6)
    assert excess_currents(CELL_PRESETS["pku"], g, g, 2.5, "bit line", 0.4) is None
