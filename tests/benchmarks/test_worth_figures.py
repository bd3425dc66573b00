"""The benchmark of what a chip is worth, at small sizes: what is weighed, and what is counted of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import worth
from benchmarks._families import FAMILIES
from benchmarks.worth import Weighed, figures_of, weigh

ONE = Weighed("Gram", 32, 0, "pku", "digits", 4.0, 6, 15, 120, 100, 400, 600, 7)


def test_ratios_are_of_the_chip_to_without_it_and_what_is_not_met_counts_as_all_that_is_allowed() -> None:
    assert ONE.cycles_ratio == 6 / 15
    assert ONE.digital_ratio == 100 / 400
    assert ONE.whole_ratio == 700 / 1000
    assert replace(ONE, cycles=None).cycles_ratio == 100 / 15
    assert replace(ONE, without=None).cycles_ratio == 6 / 120


@pytest.mark.thorough
def test_a_chip_saves_cycles_where_its_loop_is_good_and_a_refusal_is_kept() -> None:
    one = weigh("Gram", 8)
    assert one.cycles is not None
    assert one.without is not None
    assert one.cycles <= one.without <= 8
    assert one.inversions >= one.cycles
    assert one.most == worth.CYCLES
    assert one.certificate > 8**3
    # at least a product each cycle, and a residual
    assert one.digital >= 64 * (one.cycles + 1)
    assert one.digital_without >= 64 * (one.without + 1)
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
    assert found["digital multiplications likewise, n = 32"].value == 0.25
    assert found["… certificate included, n = 32"].value == 0.7
    assert found["refused"].detail == {"# bits cannot be had with #": 1}


@pytest.mark.thorough
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
