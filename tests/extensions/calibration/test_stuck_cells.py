"""Cells that hold still: which are stuck, which had pulses too weak for them, and what share of all that makes."""

from __future__ import annotations

from dataclasses import asdict
from math import erfc, sqrt

import numpy as np
import pytest
from daily import daily
from scipy.special import betaincinv

from mho.extensions.calibration.calibrating import _remarks
from mho.extensions.calibration.experiments.evidence import StuckCells, share_of, stuck_cells
from mho.extensions.calibration.pulses_by_cell import READ, RESET, SET, pulses_by_cell
from mho.extensions.calibration.still_cells import Unmoved, unmoved_cells
from mho.extensions.calibration.transitions import transitions_of
from mho.instruments.simulated import CELL_PRESETS

BASE = asdict(CELL_PRESETS["stanford"])
LRS, HRS, VIRGIN = 1.2e-4, 1e-5, 1e-9
THRESHOLD, SPREAD, STUCK = 1.5, 0.2, 1e6  # V


def chip(
    thresholds: np.ndarray, strongest: np.ndarray, *, formed: bool, sets: bool = True, cycles: int = 12
) -> dict[str, np.ndarray]:
    """Return cycles on cells that a RESET moves from a V_SL on, in ramps of 0.05 V each to its cell's strongest.

    A cell of the threshold `STUCK` conducts from the beginning, and so do all that are `formed`.
    """
    count, rows = len(thresholds), []
    state = np.where((thresholds == STUCK) | formed, LRS, VIRGIN)

    def record(kind: int, volts: np.ndarray) -> None:
        rows.append(
            (np.full(count, float(len(rows))), np.arange(count), np.full(count, kind), volts, state.copy())
        )

    record(READ, np.zeros(count))
    state[:] = LRS
    record(SET, np.full(count, 3.5))
    for _ in range(cycles):
        for voltage in np.arange(0.8, strongest.max() + 0.01, 0.05):
            volts = np.minimum(voltage, strongest)
            state[volts >= thresholds] = HRS
            record(RESET, volts)
        if sets:
            state[:] = LRS
            record(SET, np.full(count, 2.0))
    time, row, kind, volts, read = (np.concatenate(part) for part in zip(*rows, strict=True))
    like = np.ones(len(row))
    return {
        "time": time, "array": 0 * like, "row": row, "column": 0 * like, "kind": kind, "voltage": volts,
        "width": 1e-7 * like, "gate": 4.0 * like, "conductance": read,
    }  # fmt: skip


def unmoved(columns: dict[str, np.ndarray]) -> Unmoved:
    return unmoved_cells(pulses_by_cell(columns, BASE), BASE)


def thresholds(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(THRESHOLD, SPREAD, count)


def test_cells_that_were_virgin_are_not_stuck_however_weak_their_pulses() -> None:
    each = thresholds(100)
    each[:3] = STUCK
    found = unmoved(chip(each, np.where(np.arange(100) < 50, 2.4, 0.9), formed=False))
    count = stuck_cells(found)
    assert (count.moving, count.on, count.off) == (97, 3, 0)
    assert np.flatnonzero(found.stuck).tolist() == [0, 1, 2]  # weak pulses are pulses: they are not left out
    (share,) = count.shares()
    assert (share.low, share.high) == pytest.approx(betaincinv(3.5, 97.5, [0.025, 0.975]), rel=0.01)


def test_on_a_virgin_chip_a_cell_that_conducts_is_stuck_whatever_its_pulses() -> None:
    each = thresholds(60)
    each[0] = STUCK
    assert stuck_cells(unmoved(chip(each, np.full(60, 0.9), formed=False))).on == 1


@pytest.mark.parametrize("strongest", daily([1.6, 1.9, 2.05], [1.9]))
def test_how_likely_a_cell_holds_still_is_the_tail_of_the_others_thresholds(strongest: float) -> None:
    each = thresholds(4000)
    each[0] = STUCK
    most = np.full(4000, 2.6)
    most[0] = strongest
    found = unmoved(chip(each, most, formed=True, cycles=4))
    assert found.on[0] == pytest.approx(0.5 * erfc((strongest - THRESHOLD) / SPREAD / sqrt(2.0)), rel=0.15)
    assert stuck_cells(found).on == (found.on[0] <= 0.01)
    assert (found.on[1:] == 1.0).all()


def test_pulses_of_other_widths_and_gates_count_as_far_as_they_are_comparable() -> None:
    each = thresholds(50)
    each[0] = STUCK
    columns = chip(each, np.full(50, 2.6), formed=True)
    assert unmoved(columns).on[0] < 1e-4
    for name in (
        "width",
        "gate",
    ):  # longer pulses, or ones of a higher gate, moved the others: nothing is known
        stronger = {**columns, name: np.where(columns["row"] > 0, 2.0, 1.0) * columns[name]}
        assert unmoved(stronger).on[0] == 1.0


def test_what_nothing_tried_is_not_known() -> None:
    each = np.full(30, STUCK)
    each[5:] = thresholds(25)
    columns = chip(each, np.full(30, 2.6), formed=True)
    untried = (columns["row"] == 0) & (columns["kind"] == RESET)
    few = (columns["row"] == 1) & (columns["time"] > 8)
    found = unmoved({name: values[~untried & ~few] for name, values in columns.items()})
    assert found.on[:2].tolist() == [1.0, 1.0]  # no RESET; eight pulses
    assert stuck_cells(found).on == 3
    assert found.stuck[:5].tolist() == [
        True,
        False,
        True,
        True,
        True,
    ]  # the first of them tells nothing of SETs either
    alone = {name: values[columns["row"] < 5] for name, values in columns.items()}
    assert (unmoved(alone).on == 1.0).all()


def test_a_cell_that_holds_still_in_hrs_is_held_to_its_sets() -> None:
    each = thresholds(80)
    columns = chip(each, np.full(80, 2.6), formed=True)
    columns["conductance"][columns["row"] < 2] = HRS
    raised = (columns["row"] == 1) & (columns["kind"] == SET)
    columns["kind"][raised] = RESET  # never a SET
    found = stuck_cells(unmoved(columns), lost=1)
    assert (found.moving, found.on, found.off) == (78, 0, 2)
    assert sorted(found.held_off.tolist()) == pytest.approx([0.0, 0.5 / 79.0])  # nothing formed the first


def test_cells_that_forming_shorted_are_left_out_and_not_counted() -> None:
    each = thresholds(300)
    each[0] = 10.0
    columns = chip(each, np.full(300, 2.6), formed=False)
    assert stuck_cells(unmoved(columns)).on == 0
    data = transitions_of(columns, BASE)
    assert (data.unmoved.stuck_on, data.unmoved.stuck_off) == (1, 0)
    assert 0 not in data.resets.cell
    (remark,) = [one for one in _remarks("stanford", BASE, data, ()) if "still" in one]
    assert remark.startswith(
        "of 300 cells 1 held still in LRS and 0 in HRS under pulses that move others; they are left"
    )
    rest = transitions_of({name: values[columns["row"] > 0] for name, values in columns.items()}, BASE)
    assert not [one for one in _remarks("stanford", BASE, rest, ()) if "still" in one]


@pytest.mark.parametrize(("moving", "on"), [(254, 2), (60, 1), (10, 0), (0, 3), (9_000, 600)])
def test_the_interval_of_a_count_is_that_of_jeffreys(moving: int, on: int) -> None:
    found = np.array(share_of(moving, np.zeros(on)))
    assert found == pytest.approx(betaincinv(on + 0.5, moving + 0.5, [0.5, 0.025, 0.975]), rel=0.01, abs=1e-5)
    assert share_of(moving, np.append(np.zeros(on), np.ones(7))) == pytest.approx(found)


def test_intervals_hold_the_share_where_some_would_hold_still_anyway() -> None:
    rng, held = np.random.default_rng(3), []
    for _ in range(300):
        share, chance = rng.uniform(0.005, 0.08), rng.choice([0.0, 0.01, 0.1, 0.6], 256)
        still = (rng.random(256) < share) | (rng.random(256) < chance)
        _, low, high = share_of(int((~still).sum()), chance[still])
        held.append(low < share < high)
    assert 0.91 < np.mean(held) < 0.985


def test_without_stuck_cells_there_is_a_bound() -> None:
    none = StuckCells(200)
    assert none.shares() == []
    assert (1.0 - none.bound()) ** 200 == pytest.approx(0.05)
