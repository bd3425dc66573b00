"""The benchmark of what a chip is worth, at small sizes: what the solve without it takes, and what is counted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import worth
from benchmarks._families import FAMILIES, System, draw
from benchmarks.worth import (
    Weighed,
    cycles_without,
    figures_of,
    multiplications,
    schur_multiplications,
    weigh,
)

ONE = Weighed("Gram", 32, 0, "pku", "digits", 4.0, 6, 15)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_without_the_chip_gcr_takes_a_cycle_for_each_eigenvalue(count: int) -> None:
    values = np.repeat(np.linspace(1.0, 1.9, count), 10)  # one power of two, so that scaling changes nothing
    assert cycles_without(System("", np.diag(values), np.ones(len(values)))) == count


def test_scaling_and_the_order_of_rows_change_nothing_without_the_chip() -> None:
    system = draw("dominant", 16, 1)
    scaled = System("", 2.0**20 * system.matrix[::-1], 2.0**20 * system.rhs[::-1])
    assert cycles_without(scaled) == cycles_without(system)


def test_more_cycles_than_are_allowed_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worth, "UNAIDED", 3)
    assert cycles_without(draw("condition 10", 16, 0)) is None


def test_digital_multiplications_are_products_residuals_and_directions() -> None:
    assert multiplications(10, 1) == 100 + 7 * 100 + 70
    # four cycles: three earlier directions at most; one residual found anew
    assert multiplications(10, 4) == 4 * 100 + 7 * 100 + 3 * 10 * (0 + 1 + 2 + 3) + 7 * 10 * 4
    assert multiplications(10, 7) - multiplications(10, 6) == 100 + 7 * 100 + 3 * 10 * 6 + 70
    assert (
        multiplications(10, 302) - multiplications(10, 301) == 100 + 3 * 10 * 100 + 70
    )  # of 100 directions kept


def test_schur_complements_are_counted_down_to_a_loop() -> None:
    assert schur_multiplications(32) == 0.0
    assert schur_multiplications(64) == pytest.approx(7 / 3 * 32**3)
    assert schur_multiplications(128) == pytest.approx(7 / 3 * 64**3 + 2 * 7 / 3 * 32**3)


def test_ratios_are_of_the_chip_to_without_it_and_what_is_not_met_counts_as_all_that_is_allowed() -> None:
    assert ONE.cycles_ratio == 6 / 15
    assert ONE.digital_ratio == pytest.approx(multiplications(32, 6) / multiplications(32, 15))
    assert replace(ONE, cycles=None).cycles_ratio == worth.CYCLES / 15
    assert replace(ONE, without=None).cycles_ratio == 6 / worth.UNAIDED
    by_blocks = replace(ONE, size=64)
    assert by_blocks.digital_ratio > multiplications(64, 6) / multiplications(64, 15)


def test_a_chip_saves_cycles_where_its_loop_is_good_and_a_refusal_is_kept() -> None:
    one = weigh("Gram", 8)
    assert one.cycles is not None
    assert one.without == cycles_without(draw("Gram", 8, 0))
    assert one.cycles <= one.without
    two = weigh("condition 100", 32, loop="two slices")
    assert two.cycles_ratio < weigh("condition 100", 32).cycles_ratio < 1.0
    refused = weigh("Vandermonde", 32)
    assert "condition number" in refused.refused
    assert refused.cycles is None


def test_medians_are_judged_and_counted_by_condition_number() -> None:
    hard = replace(ONE, condition=1e3, cycles=32, without=32)
    middle = replace(ONE, condition=100.0, cycles=20, without=31)  # judged, too: up to 100
    other = replace(ONE, preset="quiet", cycles=8)
    slices = replace(ONE, loop="two slices", cycles=4)
    lost = replace(ONE, cycles=None, without=None, refused="24 bits cannot be had with 4.2e+11")
    found = {one.name: one for one in figures_of([ONE, hard, middle, other, slices, lost])}
    judged = found["median cycles, n = 32, condition number up to 100: pku, digits"]
    assert (judged.value, judged.peer_value, judged.met) == (13.0, 23.0, False)
    assert judged.detail["systems"] == 2
    assert judged.detail["median of the ratios"] == pytest.approx((6 / 15 + 20 / 31) / 2, abs=5e-4)
    assert found["median cycles, n = 32, condition number up to 100: pku, two slices"].met
    assert found["median cycles, n = 32, condition number up to 100: quiet, digits"].value == 8
    ratios = found["cycles with the chip over those without, n = 32"]
    assert ratios.value == pytest.approx(20 / 31)
    assert ratios.detail == {
        "up to 10": "0.40 (1)",
        "up to 100": "0.65 (1)",
        "up to 1000": "1.00 (1)",
        "no less": "1 of 3",
    }
    assert found["refused"].detail == {"# bits cannot be had with #": 1}


def test_what_is_measured_is_kept_and_drawn_from_all_sizes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(worth, "SIZES", (8,))
    monkeypatch.setattr(worth, "JUDGED", 16)
    monkeypatch.setattr(worth, "FAMILIES", {"Gram": FAMILIES["Gram"]})
    monkeypatch.setattr(worth, "BY_BLOCKS", {40: ("Gram",)})
    measured = worth.measure(2)
    kinds = [(one.size, one.number, one.preset, one.loop) for one in measured]
    assert kinds == [
        (8, 0, "pku", "digits"), (8, 1, "pku", "digits"),
        (16, 0, "pku", "targets not rounded"), (16, 0, "pku", "two slices"),
        (16, 0, "quiet", "digits"), (16, 0, "relaxing", "digits"),
        (40, 0, "pku", "digits"),
    ]  # fmt: skip
    assert not any(one.refused for one in measured)
    worth.save(measured, tmp_path / "worth.json")
    assert worth.load(tmp_path / "worth.json") == measured


def test_the_measured_map_is_of_what_is_there() -> None:
    kept = worth.load()
    assert {one.family for one in kept} == set(FAMILIES)
    assert {one.size for one in kept} == {*worth.SIZES, *worth.BY_BLOCKS}
