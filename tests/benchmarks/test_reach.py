"""The benchmark of reach, at a small size: what it counts, and that it says so where a target is missed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import reach
from benchmarks._families import FAMILIES
from benchmarks._judging import Case, Verdict, judge

SOLVED = Verdict(
    Case(0, "Gram", 4, "pku", 0.0, 0.0, "arrays"), 5.0, converged=True, error=1e-9, bits=25.0, cycles=4,
    without=8, digital_ratio=0.5,
)  # fmt: skip


def in_this_process(cases):
    return [judge(case) for case in cases]


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(reach, "SIZES", (2,))
    monkeypatch.setattr(reach, "FAMILIES", {name: FAMILIES[name] for name in ("Gram", "permuted")})
    monkeypatch.setattr(reach, "judge_all", in_this_process)
    monkeypatch.setattr(reach, "WIRE_SHARE", 2)


@pytest.mark.thorough
def test_solves_are_counted_by_mode_preset_and_family(small):
    figures = {figure.name: figure for figure in reach.run(1)}
    hybrid = figures["hybrid: converged, condition number up to 10000"]
    assert (hybrid.value, hybrid.unit, hybrid.met) == (100.0, "% of 2", True)
    assert set(figures["hybrid: converged, by family"].detail) == {"Gram", "permuted"}
    assert set(figures["all analogue: converged, by unknowns"].detail) == {"2"}
    assert figures["all analogue: converged with relaxing, condition number up to 10000"].peer_value == 100.0
    assert figures["all analogue: at the wire as on arrays"].unit == "% of 1"
    false = figures["solves that say converged and are not"]
    assert (false.value, false.unit, false.met) == (0, "of 18", True)
    assert figures["refused"].value == 0


def test_a_condition_number_counts_in_one_bin():
    found = [replace(SOLVED, condition=value) for value in (10.0 * (1.0 + 1e-12), 11.0, 1e4, 1e9)]
    assert reach.bins(found) == {
        "up to 10": "1 of 1, 4 cycles, 8 without the chip",
        "up to 100": "1 of 1, 4 cycles, 8 without the chip",
        "up to 1000": "",
        "up to 10000": "1 of 1, 4 cycles, 8 without the chip",
        "above 10000": "1 of 1, 4 cycles, 8 without the chip",
    }


def test_what_is_missed_is_told():
    lost = replace(SOLVED, converged=False, refused="", reason="all cycles allowed (40) are used up")
    slow = replace(SOLVED, cycles=9)
    converged, easy, *_ = reach._hybrid([slow, slow, lost])
    assert (converged.met, easy.met) == (False, False)
    assert converged.detail["up to 10"] == "2 of 3, 9 cycles, 8 without the chip"
    assert reach._beside("hybrid", "quiet", [lost, SOLVED], [SOLVED, SOLVED]).met is False
    wrong = replace(SOLVED, error=1e-3)
    late = replace(SOLVED, converged=False, refused="8 bits", programmed=True, error=np.inf)
    false, refused = reach._all([SOLVED, wrong, late, lost])
    assert (false.value, false.met) == (1, False)
    assert (refused.value, refused.met, refused.detail["after programming"]) == (1, False, 1)


def test_sentences_that_differ_by_numbers_are_one():
    said = [replace(SOLVED, refused=f"{bits} bits cannot be had with 1.{bits}e+08") for bits in (24, 30)]
    assert reach.reasons(said, lambda one: one.refused) == {"# bits cannot be had with #": 2}


def test_a_tenth_of_all_sizes_goes_to_the_wire():
    cases = list(reach.at_the_wire(reach._cases("pku", "analogue", 0.0, 2)))
    assert len(cases) == 2 * len(FAMILIES) * len(reach.SIZES) // reach.WIRE_SHARE
    assert {case.bench for case in cases} == {"simulated"}
    assert {case.size for case in cases} == set(reach.SIZES)
    assert len({case.family for case in cases}) > len(FAMILIES) / 2


def test_the_ratio_of_cycles_is_told_by_unknowns_and_held_to_a_half_at_the_largest():
    large = replace(SOLVED, case=replace(SOLVED.case, size=32))
    small, wide = reach._worth([SOLVED, large, replace(large, without=None), replace(large, condition=1e3)])
    assert (small.value, small.peer_value, small.target, small.met) == (4, 8, None, None)
    assert (wide.value, wide.met) == (4, True)
    assert wide.detail["median of each system's own ratio"] == 0.5
    assert reach._worth([replace(large, cycles=5)])[0].met is False
