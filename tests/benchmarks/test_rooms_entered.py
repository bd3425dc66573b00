"""The count of the modules that a call passes through."""

from __future__ import annotations

import pytest

from benchmarks.rooms import run, walk
from mho.errors import InputError, recorded_name
from mho.instruments import Cell
from mho.instruments.bench.arguments import cell


def test_every_call_of_a_function_of_mho_counts_for_its_module_in_the_order_of_first_entry():
    def work() -> None:
        cell(Cell("multiply", 0, 0), {"multiply": (2, 2)})
        recorded_name(InputError(""))
        cell(Cell("multiply", 1, 1), {"multiply": (2, 2)})

    rooms = walk(work)
    assert list(rooms) == ["mho.instruments.bench.arguments", "mho.errors"]
    assert rooms["mho.instruments.bench.arguments"] == 2


@pytest.mark.thorough
def test_pulses_and_a_solve_without_instruments_stay_below_what_a_reader_can_follow():
    first, later, solved, on_arrays = run(1)
    assert later.met
    assert on_arrays.met
    assert later.value < first.value < on_arrays.value < solved.value
