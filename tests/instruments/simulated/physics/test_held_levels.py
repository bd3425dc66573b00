"""Levels that stay on cells: however the time is cut, what has become of a cell is the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from daily import daily
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.physics.cells.cells import FORMED, STUCK_ON, VIRGIN, CellArray
from mho.instruments.simulated.physics.cells.presets import CELL_PRESETS, CellPreset
from mho.instruments.simulated.physics.cells.switching import HeldLevel, HeldLevels
from mho.instruments.simulated.physics.chip import ArrayGeometry, SparseChip

ALL = slice(None)
IDEAL = CELL_PRESETS["ideal"]
STILL = {  # presets without what goes on between the acts of a level
    name: replace(CELL_PRESETS[name], relaxation=0.0, drift=0.0) for name in ("ideal", "quiet", "relaxing")
}


def cells(preset: CellPreset, rows: int = 1, columns: int = 1, *, formed: bool, seed: int = 1) -> CellArray:
    array = CellArray(rows, columns, preset, VirtualClock(), np.random.default_rng(seed))
    if formed:
        array.set_cells(ALL, 4.3, 10e-6, 1.8)
    return array


def shares(cuts: Sequence[float], seconds: float) -> list[float]:
    """Cut a time in parts that go as `cuts`."""
    return [seconds * cut / sum(cuts) for cut in cuts]


@pytest.mark.parametrize("formed", daily([False, True], [True]), ids=["virgin", "formed"])
@pytest.mark.parametrize("way", daily(["set", "reset"], ["set"]))
@given(
    preset=st.sampled_from(list(STILL)),
    volts=st.floats(0.7, 5.0),  # at more, wear of the first part is felt in the next
    seconds=st.floats(-4.0, 5.0).map(lambda exponent: 10.0**exponent),  # a SET takes some 100 ns
    gate=st.floats(0.9, 4.0),
    current=st.sampled_from([math.inf, 1e-3, 1e-4, 1e-5, 1e-6]),
    cuts=st.lists(st.floats(0.01, 1.0), min_size=2, max_size=6),
    seed=st.integers(0, 1000),
)
@settings(max_examples=150, deadline=None)
def test_a_level_does_in_parts_what_it_does_at_once(
    way, formed, preset, volts, seconds, gate, current, cuts, seed
):
    ends = []
    for parts in ([seconds], shares(cuts, seconds)):
        array, level = cells(STILL[preset], formed=formed, seed=seed), HeldLevel()
        for part in parts:
            getattr(array, way)((0, 0), volts, part, gate, current=current, level=level)
        ends.append((array.status((0, 0)), array.conductance((0, 0)), array.wear((0, 0))))
    (status, conductance, wear), parted = ends
    assert parted[0] == status
    assert parted[1] == pytest.approx(conductance, rel=2e-3)
    assert parted[2] == pytest.approx(wear, rel=0.02, abs=0.1)


@pytest.mark.parametrize("formed", daily([False, True], [True]), ids=["virgin", "formed"])
@pytest.mark.parametrize(
    ("way", "volts"),
    daily(
        [("set", 2.0), ("set", 4.2), ("set", 4.5), ("reset", 1.0), ("reset", 4.5)],
        [("set", 4.5), ("reset", 1.0)],
    ),
)
def test_levels_at_a_block_of_many_pieces_do_the_same_in_parts(way, volts, formed):
    ends = []
    for parts in ([1e-3], shares([1, 2, 3], 1e-3)):
        array, level = cells(STILL["quiet"], 100, 200, formed=formed), HeldLevel()
        for part in parts:
            getattr(array, f"{way}_cells")(ALL, np.full((100, 200), volts), part, 2.0, level)
        ends.append((array.status().copy(), array.conductance()))
    assert np.array_equal(ends[0][0], ends[1][0])
    np.testing.assert_allclose(ends[0][1], ends[1][1], rtol=2e-3)


@pytest.mark.parametrize("formed", [False, True], ids=["virgin", "formed"])
@pytest.mark.parametrize("volts", [0.95, 2.0, 4.2, 4.5])
@pytest.mark.parametrize("way", ["set", "reset"])
def test_a_level_is_one_law_for_a_cell_and_a_block_and_a_chip_of_cells_in_use(way, volts, formed):
    alone, block = (cells(IDEAL, 1, 2, formed=formed) for _ in range(2))
    geometry = (ArrayGeometry("a", 4, 4, 1.0),)
    chip = SparseChip(geometry, IDEAL, VirtualClock(), np.random.default_rng(1))
    sparse, index = chip.at("a", np.array([1]), np.array([0, 2]))
    if formed:
        sparse.set_cells(index, 4.3, 10e-6, 1.8)
    getattr(alone, way)((0, 0), volts, 1e-5, 2.0, level=HeldLevel())
    for array, where in ((block, ALL), (sparse, index)):
        level = HeldLevel()
        for part in shares([3, 1], 1e-5):
            getattr(array, f"{way}_cells")(where, volts, part, 2.0, level)
        assert set(np.ravel(array.status(where))) == {alone.status((0, 0))}
        assert np.ravel(array.conductance(where)) == pytest.approx(float(alone.conductance((0, 0))), rel=2e-3)


def test_a_virgin_cell_is_lost_to_what_remains_of_a_level_but_not_to_the_pulse_that_forms_it():
    pulsed, held, limited = (cells(IDEAL, formed=False) for _ in range(3))
    pulsed.set((0, 0), 4.5, 1e-6, 1.8)
    held.set((0, 0), 4.5, 1e-6, 1.8, level=HeldLevel())
    limited.set(
        (0, 0), 4.5, 1e-6, 1.8, level=HeldLevel(), current=1e-4
    )  # which leaves the cell less once formed
    assert [array.status((0, 0)) for array in (pulsed, held, limited)] == [FORMED, STUCK_ON, FORMED]


@pytest.mark.parametrize("width", [1e-3, 1.0, 1e5])
def test_a_pulse_as_long_as_a_level_destroys_as_one(width):
    alone, block = cells(IDEAL, formed=False), cells(IDEAL, 2, 3, formed=False)
    alone.set((0, 0), 4.5, width, 4.0)
    block.set_cells(ALL, 4.5, np.where(np.arange(3) < 2, 1e-6, width) * np.ones((2, 1)), 4.0)
    assert alone.status((0, 0)) == STUCK_ON
    assert block.status().tolist() == [[FORMED, FORMED, STUCK_ON]] * 2


def test_time_forms_a_cell_whose_voltage_does_not_form_it_at_once():
    array, level = cells(IDEAL, formed=False), HeldLevel()
    for _ in range(1000):
        array.set((0, 0), 2.6, 1e-4, 1.8, level=level)  # 3.15 V less 0.12 V a decade beyond 1 us
    assert array.status((0, 0)) == FORMED
    array = cells(IDEAL, formed=False)
    for _ in range(1000):
        array.set((0, 0), 2.6, 1e-4, 1.8)
    assert array.status((0, 0)) == VIRGIN  # pulses do not add up


def test_a_level_that_changed_or_ended_is_another_one():
    levels = HeldLevels()
    first = levels.of("bit line", 3.0)
    assert levels.of("bit line", 3.0) is first
    assert levels.of("source line", 3.0) is not first
    second = levels.of("bit line", 3.1)
    assert levels.of("bit line", 3.0) is not first
    assert second is not first
    kept = levels.of("source line", 3.0)
    levels.end("bit line")
    assert levels.of("source line", 3.0) is kept
    levels.end()
    assert levels.of("source line", 3.0) is not kept
