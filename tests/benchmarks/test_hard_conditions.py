"""The benchmarks of what is hard, at a small size: condition numbers beyond 1e4, and cells that miss their levels."""

from __future__ import annotations

import pytest

from benchmarks import far_conditions, unfit_cells
from benchmarks._judging import judge


@pytest.mark.thorough
def test_cycles_with_the_chip_stand_beside_those_without(monkeypatch):
    monkeypatch.setattr(far_conditions, "CONDITIONS", {1e6: 0.95})
    monkeypatch.setattr(far_conditions, "SIZES", (4,))
    monkeypatch.setattr(far_conditions, "LOOPS", {"one slice": 1})
    (figure,) = far_conditions.run(2)
    assert (figure.name, figure.unit) == ("condition number 1e+06, one slice: converged", "% of 4")
    assert (figure.value, figure.peer_value, figure.met) == (100.0, 100.0, True)
    assert figure.detail["without the chip"] == {4: 4.0}
    assert sum(figure.detail["fewer than without, as many, more"]) == 4


def test_what_the_smallest_singular_values_leave_of_a_product_is_used():
    system = far_conditions._system(
        1e8, "general", 16, 2
    )  # stalled where less than 1e-8 of a product was given away
    assert far_conditions.without_chip(*system) <= 20


@pytest.mark.thorough
def test_refusals_after_programming_are_counted(monkeypatch):
    monkeypatch.setattr(unfit_cells, "SIZES", (2, 4))
    monkeypatch.setattr(unfit_cells, "A_REPEAT", 6)
    monkeypatch.setattr(unfit_cells, "judge_all", lambda chosen: [judge(case) for case in chosen])
    (figure,) = unfit_cells.run(1)
    assert (figure.value, figure.unit, figure.met) == (0, "of 6", True)
    assert figure.detail["said converged and were not"] == 0
    assert unfit_cells.cases(6) == unfit_cells.cases(12)[:6]
