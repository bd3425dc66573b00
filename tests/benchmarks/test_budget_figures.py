"""The benchmark of error budgets: what is measured, on a few runs."""

from __future__ import annotations

import pytest

from benchmarks import budget


@pytest.mark.thorough
def test_shares_are_summed_and_a_cause_is_made_to_dominate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "PRESETS", ("pku",))
    monkeypatch.setattr(budget, "RUNS_A_REPEAT", 1)
    monkeypatch.setattr(budget, "DRAWS", 1)
    monkeypatch.setattr(budget, "SEEDS", 2)
    monkeypatch.setattr(budget, "RIGHT", 2)
    monkeypatch.setattr(budget, "OTHER_KINDS", {"by blocks": budget.OTHER_KINDS["by blocks"]})
    monkeypatch.setattr(budget, "DOMINATED", {"resistors": budget.DOMINATED["resistors"]})
    sums, again, blocks, _, resistors, first, of_board, offset = budget.run(1)
    for one in (sums, blocks):
        assert one.value < 1e-9
        assert one.met
    assert again.value == pytest.approx(1.0, abs=0.5)
    assert resistors.met
    assert resistors.detail["advice"].startswith("mend resistors first")
    assert first.value == of_board.value == 2
    assert first.met
    assert of_board.met
    assert offset.value < 0.2
