"""What a table of pulses leaves of its cells: done, given up, met by the interruption, not reached."""

from __future__ import annotations

import numpy as np

from mho.chip_maps.chip import load_chip_map
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.procedures.cells.programming.record import cells_so_far
from mho.procedures.cells.programming.strategy import Outcome

LEVELS, SETTINGS = load_chip_map("reference").level_scale(), WriteVerifySettings()
IN, LOW, HIGH, SILENT = 20.1e-6, 3e-6, 50e-6, 1e-9  # S, of digit 4
READ, SET, RESET = 0, 1, 2


def follow(*steps: tuple[int, int, float], cells: int = 3):
    """Cells of digit 4 in a row, through (cell, kind, read)."""
    where, kind, read = (np.array(part) for part in zip(*steps, strict=True)) if steps else ([], [], [])
    rows = {"kind": np.asarray(kind, "u1"), "conductance": np.asarray(read, float)}
    return cells_so_far(rows, np.asarray(where, np.int64), np.full((1, cells), 4), LEVELS, SETTINGS)


def test_of_no_rows_all_cells_are_unfinished():
    found = follow()
    assert found.unfinished.tolist() == [[True, True, True]]
    assert found.untouched.all()
    assert np.isnan(found.last).all()


def test_a_cell_is_done_by_its_last_read_whatever_came_before():
    found = follow(
        (0, READ, SILENT),
        (0, SET, HIGH),
        (0, RESET, IN),
        (1, READ, IN),
        (1, READ, LOW),
        (2, READ, LOW),
        (2, SET, np.nan),
    )
    assert found.unfinished.tolist() == [[False, True, True]]
    np.testing.assert_array_equal(found.first, [[SILENT, IN, LOW]])
    np.testing.assert_array_equal(found.last, [[IN, LOW, np.nan]])
    assert found.pulses.tolist() == [[2, 0, 1]]
    assert not found.outcome.any()


def test_cells_that_were_given_up_are_not_unfinished():
    stuck_high = [(0, RESET, HIGH)] * SETTINGS.futile
    unformed = [(1, SET, SILENT)] * len(SETTINGS.forming_voltages)
    stuck_low = [(2, RESET, HIGH), *[(2, SET, LOW)] * SETTINGS.futile]
    found = follow(*stuck_high, *unformed, *stuck_low)
    assert found.outcome.tolist() == [[Outcome.STUCK_HIGH, Outcome.UNFORMED, Outcome.STUCK_LOW]]
    assert not found.unfinished.any()
    one_less = follow(*stuck_high[1:], *unformed[1:], *stuck_low[:-1])
    assert one_less.unfinished.all()
    turns = [(0, (SET, RESET)[n % 2], HIGH) for n in range(SETTINGS.max_pulses)]
    assert follow(*turns).outcome[0, 0] == Outcome.OUT_OF_PULSES
    assert follow(*turns[1:]).unfinished[0, 0]


def test_pulses_before_a_read_in_the_window_do_not_count_towards_giving_up():
    before = [(0, SET, LOW)] * (SETTINGS.futile - 1)
    found = follow(*before, (0, SET, IN), (0, READ, LOW), (0, SET, LOW))
    assert found.unfinished[0, 0]
    assert found.pulses[0, 0] == SETTINGS.futile + 1


def test_the_order_of_rows_of_different_cells_does_not_matter():
    rng = np.random.default_rng(3)
    steps = [
        (int(c), int(k), float(g))
        for c, k, g in zip(
            rng.integers(0, 3, 60),
            rng.integers(0, 3, 60),
            rng.choice([IN, LOW, HIGH, SILENT], 60),
            strict=True,
        )
    ]
    one, other = follow(*steps), follow(*sorted(steps, key=lambda step: step[0]))
    for name, values in vars(one).items():
        np.testing.assert_array_equal(values, getattr(other, name))


def test_a_cell_that_conducted_once_is_not_unformed():
    silent = [(0, SET, SILENT)] * len(SETTINGS.forming_voltages)
    assert follow(*silent).outcome[0, 0] == Outcome.UNFORMED
    assert follow((0, READ, LOW), *silent).unfinished[0, 0]
    where, kind, read = (np.array(part) for part in zip(*silent, strict=True))
    rows = {"kind": kind.astype("u1"), "conductance": read}
    formed = np.array([[True, False, False]])
    known = cells_so_far(rows, where, np.full((1, 3), 4), LEVELS, SETTINGS, formed)
    assert known.unfinished[0, 0]
