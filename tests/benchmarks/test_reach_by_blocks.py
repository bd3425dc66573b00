"""The benchmark of reach by blocks, at a small size: what it counts, and which families it names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks import reach_by_blocks
from benchmarks._families import FAMILIES
from benchmarks._judging import judge


@pytest.mark.thorough
def test_families_larger_than_a_loop_are_counted(monkeypatch):
    judged = []

    def in_this_process(cases):
        judged.extend(judge(case) for case in cases)
        return judged

    monkeypatch.setattr(reach_by_blocks, "SIZES", (40,))
    monkeypatch.setattr(
        reach_by_blocks, "FAMILIES", {name: FAMILIES[name] for name in ("Gram", "Vandermonde")}
    )
    monkeypatch.setattr(reach_by_blocks, "judge_all", in_this_process)
    reach, false = reach_by_blocks.run(1)
    assert (reach.value, reach.unit, reach.met) == (100.0, "% of 1", True)
    assert list(reach.detail["not"]) == ["Vandermonde"]
    assert sum(reach.detail["why not"].values()) == 1
    assert (false.value, false.unit, false.met) == (0, "of 2", True)
    missed, lied = reach_by_blocks.figures_of(
        [replace(judged[0], converged=False), replace(judged[0], error=1.0)]
    )
    assert (missed.value, missed.met) == (50.0, False)
    assert (lied.value, lied.met) == (1, False)
