"""What a solve costs beside its operations: what the figures say, on the smallest work that has them."""

from __future__ import annotations

import math

import pytest

from benchmarks import solve_costs


def test_a_loop_is_timed_at_every_size_beside_its_operations():
    figure = solve_costs._loop("gcr", 1)
    assert figure.unit == "us"
    assert math.isfinite(figure.value)
    assert set(figure.detail["cycles by N"]) == {solve_costs.SIZE, *solve_costs.OTHER_SIZES}
    assert min(figure.detail["operations by N, us"].values()) > 0.0


@pytest.mark.thorough
def test_further_right_hand_sides_cost_no_further_programming():
    figure = solve_costs._columns("arrays", 2, 4)
    assert figure.met
    spent = figure.detail["right-hand sides: bench time (s), pulses, reads, cycles, CPU time (s)"]
    assert spent[1][1:3] == spent[4][1:3]  # pulses and reads
    assert spent[1][3] < spent[4][3]


@pytest.mark.thorough
def test_growth_is_judged_by_the_number_of_solves():
    figure = solve_costs._growth("arrays", 1)
    assert figure.target == f"<= {solve_costs.GROWTH:g} MB"
    assert figure.met == (figure.value <= solve_costs.GROWTH)
