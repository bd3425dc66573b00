"""The benchmark of refresh, at a small size: shares fall with time, and a refresh brings them back."""

from __future__ import annotations

import pytest

from benchmarks import refresh


@pytest.mark.thorough
def test_shares_fall_with_time_and_a_refresh_brings_them_back():
    found = refresh.shares("relaxing", 2, seed=1, side=24)
    before, after = (
        [found[f"{when}{since}"] for when in refresh.TIMES] for since in ("", " after a refresh")
    )
    assert before[0] > before[2] + 0.05
    assert after[0] > before[2] + 0.1
    assert found["repaired"] > 0.1
    assert refresh.shares("relaxing", 0, seed=1, side=24)["1 s"] < before[0]


def test_every_preset_has_a_figure_with_all_times(monkeypatch):
    monkeypatch.setattr(refresh, "SIDE", 4)
    monkeypatch.setattr(
        refresh,
        "shares",
        lambda name, passes, seed: dict.fromkeys(
            [f"{when}{since}" for when in refresh.TIMES for since in ("", " after a refresh")],
            0.1 * passes + seed,
        ),
    )
    figures = refresh.run(2)
    assert [one.name.partition(":")[0] for one in figures] == list(refresh.CELL_PRESETS)
    assert figures[0].value == figures[0].peer_value == 0.7
    assert figures[0].detail["not verified again, 1 h"] == 0.5
