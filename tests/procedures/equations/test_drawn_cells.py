"""Cells that are drawn are those that write-verify leaves: in distribution, in time, and where no pulse moves them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp

import mho
from mho.errors import InputError
from mho.instruments.arrays import stuck_cells
from mho.procedures import AnalogueMatrix, FreeTiles

MATRIX = np.random.default_rng(5).uniform(-1.0, 1.0, (48, 64))
LATER = 3600.0  # s
GROUPS = ((0.0, 0.02), (0.02, 0.1), (0.1, 0.4), (0.4, 0.8), (0.8, 1.0))


def conductances(preset: str, *, drawn: bool) -> tuple[np.ndarray, ...]:
    """Return targets and conductances (S) of the cells of a matrix on three chips, at once and an hour later."""
    targets, found = [], ([], [])
    for seed in (7, 8, 9):
        with mho.open_bench("arrays", preset=preset, seed=seed) as bench:
            rng = np.random.default_rng(seed) if drawn else None
            held = AnalogueMatrix(MATRIX, bench, FreeTiles(bench), drawn=rng)
            places = [
                (one.placement.array, one.placement.rows, one.placement.columns) for one in held._blocks
            ]
            targets += [block.digits.ravel() / held._levels.top for block in held._blocks]
            for seconds, those in zip((0.0, LATER), found, strict=True):
                bench.wait_until(bench.now() + seconds)
                those += [bench.arrays.chip.conductance(*place).ravel() for place in places]
    return np.concatenate(targets), *(np.concatenate(those) for those in found)


@pytest.mark.parametrize("preset", ["pku", pytest.param("relaxing", marks=pytest.mark.thorough)])
def test_drawn_and_written_cells_have_one_distribution_now_and_later(preset):
    """Those of two chips differ by chance as well: by 0.03 more than Kolmogorov's 0.3 % in cells of few targets."""
    targets, *written = conductances(preset, drawn=False)
    again, *drawn = conductances(preset, drawn=True)
    np.testing.assert_array_equal(targets, again)
    uniform = np.random.default_rng(1).uniform(-1.2e-6, 1.2e-6, targets.size)
    for before, after in zip(written, drawn, strict=True):
        for low, high in GROUPS:
            some = (targets >= low) & (targets <= high)
            aims, most = targets[some] * 35e-6, 1.8 * np.sqrt(2.0 / np.count_nonzero(some)) + 0.03
            found = ks_2samp(before[some] - aims, after[some] - aims)
            assert found.statistic < most, f"targets {low} to {high}: {found}"
            if preset == "pku" and low == 0.1:  # so much would be seen
                assert ks_2samp(before[some] - aims, uniform[some]).statistic > most


def test_no_pulse_is_given_and_cells_that_none_moves_stay():
    with mho.open_bench("arrays", seed=3) as bench:
        tiles = FreeTiles(bench)
        held = AnalogueMatrix(MATRIX, bench, tiles, drawn=np.random.default_rng(1))
        summary = held.summary()
        assert (summary["programmed"], summary["pulses"], summary["reads"]) == ("drawn", 0, 0)
        assert 0.02 < summary["relative_error"] < 0.08
        held.program(np.ones_like(MATRIX))
        assert held.relative_error < 0.05
        block = held._blocks[0].placement
        place = block.array, block.rows, block.columns
        cells, index = bench.arrays.chip.at(*place)
        cells._lose(index, np.eye(len(block.rows), dtype=bool), 3)
        held.program(0.5 * np.ones_like(MATRIX))
        np.testing.assert_array_equal(stuck_cells(bench, *place), np.eye(len(block.rows), dtype=bool))
        assert (bench.arrays.chip.conductance(*place)[np.eye(len(block.rows), dtype=bool)] < 1e-8).all()


def test_cells_of_instruments_cannot_be_drawn():
    with (
        mho.open_bench("simulated", seed=3) as bench,
        pytest.raises(InputError, match="cannot be drawn: it has instruments"),
    ):
        AnalogueMatrix(MATRIX[:2, :2], bench, FreeTiles(bench), drawn=np.random.default_rng(1))
