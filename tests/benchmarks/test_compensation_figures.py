"""The benchmarks of compensation and of large loops measure what they say, on small matrices."""

from __future__ import annotations

import pytest

from benchmarks import compensation, integrated64


def test_slices_that_make_up_for_each_other_hold_more_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compensation, "SIDE", 8)
    monkeypatch.setattr(compensation, "PRESETS", ("pku",))
    monkeypatch.setattr(compensation, "SOLVED_PRESETS", ())
    one, two, three = compensation.run(1)
    assert one.value + 1.5 < two.value < three.value + 0.5
    assert two.detail["a day later"] < two.value
    assert three.peer_value == pytest.approx(10.79, abs=0.01)


@pytest.mark.thorough
def test_loops_of_each_kind_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compensation, "SYSTEMS", {"SPD 30": 8})
    analogue, two = compensation._loops("pku", "SPD 30", 1)
    assert two.value <= analogue.value <= analogue.peer_value == two.peer_value
    assert two.detail["two slices"]["rho"] < 0.3 * analogue.detail["analogue"]["rho"]
    assert two.detail["two slices"]["converged"] == 1


def test_a_solve_on_the_large_loops_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(integrated64, "SIZE", 8)
    solved = integrated64._solved("dominant", integrated64.ARRAYS, "float64", "analogue", 1)
    figure = integrated64._figure("dominant", [solved])
    assert figure.met
    assert figure.value == len(solved.result.cycles)
    assert figure.detail["converged"] == "1 of 1"


@pytest.mark.thorough
def test_a_solve_by_blocks_on_the_large_loops_is_counted_beside_the_one_without_instruments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(integrated64, "SIZE", 12)
    monkeypatch.setattr(integrated64, "LEAF", 6)
    monkeypatch.setattr(integrated64, "WIRE", integrated64.ARRAYS)
    plain, wire = integrated64._by_blocks("dominant", range(1, 3), range(1, 2))
    assert plain.met
    assert wire.met
    assert wire.ratio == 1.0
    assert wire.detail["INV, most"] == 2 * wire.value  # each of two leaves is inverted once a cycle
