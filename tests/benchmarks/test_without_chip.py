"""Figures of what a chip was worth: medians over runs, without those in which nothing was refined."""

from __future__ import annotations

from typing import Any

from benchmarks._without_chip import without_chip


def result(aided: float | None, unaided: float | None, digital: int) -> dict[str, Any]:
    return {
        "without_chip": {"cycles_with": aided, "cycles": unaided, "verdict": "saved"},
        "direct": {"method": "LU", "digital": 10, "digital_with": digital},
        "multiplications": {"share_on_chip": 0.25},
    }


def test_cycles_and_multiplications_stand_beside_those_without() -> None:
    cycles, work = without_chip("a", [result(4, 16, 100), result(6, 18, 300), result(8, None, 200)])
    assert (cycles.value, cycles.peer_name, cycles.peer_value) == (5, "without the chip", 17)
    assert cycles.detail["runs"] == 2
    assert (work.value, work.peer_name, work.peer_value) == (200, "LU", 10)
    assert work.detail == {"share on the chip": 0.25}


def test_what_was_not_refined_has_none() -> None:
    assert without_chip("a", [{"multiplications": {"share_on_chip": None}}]) == []
    (work,) = without_chip("a", [{key: one for key, one in result(1, 1, 5).items() if key != "without_chip"}])
    assert work.value == 5
