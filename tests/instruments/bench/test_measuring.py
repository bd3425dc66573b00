"""Readings as they came, and other settings of the meter within a block, with instruments and without."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mho.errors import InputError, LimitError
from mho.instruments import Cell, Pulse, open_bench
from mho.instruments.arrays import CellPositions
from mho.instruments.laboratory.accidents import BadCell, BrokenLineAccident, LeakySelector

CELL = Cell("multiply", 3, 7)
FORM = Pulse("set", 4.0, 1e-6, 1.6)
BOTH = pytest.mark.parametrize("name", ["simulated", "arrays"])


@BOTH
def test_a_reading_is_that_of_the_cell_and_a_closed_transistor_passes_nothing(name):
    with open_bench(name, preset="ideal", seed=1) as bench:
        bench.pulse(CELL, FORM)
        volts, amperes, limited = bench.measure(CELL)
        assert amperes / volts == pytest.approx(bench.read(CELL), rel=0.01)
        assert not limited
        assert bench.measure(CELL, 0.1).current == pytest.approx(0.5 * amperes, rel=0.02)
        assert abs(bench.measure(CELL, gate=0.0).current) < 20e-9  # the meter's offset and noise


def test_a_short_is_a_result_where_a_read_refuses_it():
    with open_bench(preset="ideal", seed=1) as bench:
        BadCell(10e-3, CELL)(bench.laboratory)
        volts, amperes, limited = bench.measure(CELL)
        assert limited
        assert amperes == pytest.approx(1e-4, rel=0.01)
        assert amperes / volts == pytest.approx(
            1.0 / 120.0, rel=0.02
        )  # with the wires' 20 ohm; volts are measured, too


@BOTH
def test_within_a_block_the_meter_has_another_range_and_afterwards_its_own(name):
    with open_bench(name, preset="ideal", seed=1) as bench:
        bench.read(CELL)
        coarse = np.std([bench.measure(CELL).current for _ in range(30)])
        with bench.metering(current_limit=1e-7, current_range=1e-7, nplc=1.0):
            fine = [bench.measure(CELL).current for _ in range(30)]
            bench.pulse(CELL, FORM)
            assert bench.measure(CELL).tripped
        assert np.std(fine) < 0.01 * coarse
        assert np.mean(fine) == pytest.approx(0.2e-9, rel=0.5)  # a virgin cell's nanosiemens, and the offset
        assert not bench.measure(CELL).tripped
        assert bench.read(CELL) == pytest.approx(28e-6, rel=0.05)


def test_after_an_error_within_the_block_the_meter_has_its_own_settings_again():
    with open_bench(preset="ideal", seed=1) as bench:
        bench.pulse(CELL, FORM)
        with pytest.raises(LimitError), bench.metering(current_limit=1e-6, current_range=1e-6):
            bench.measure(CELL, 9.0)
        assert bench.read(CELL) == pytest.approx(28e-6, rel=0.05)
        assert bench.instruments.smu.current_limit == pytest.approx(1e-4)


def test_a_block_before_the_first_use_holds_as_well():
    with open_bench(preset="ideal", seed=1) as bench, bench.metering(current_limit=1e-5):
        bench.measure(CELL)
        assert bench.instruments.smu.current_limit == pytest.approx(1e-5)
        assert bench.instruments.gate.current_limit == pytest.approx(1e-4)


def test_many_cells_are_measured_as_one_is():
    with open_bench("arrays", preset="ideal", seed=1) as bench:
        bench.pulse(Cell("multiply", 0, 1), FORM)
        positions = CellPositions("multiply", np.array([0, 0]), np.array([0, 1]))
        with bench.metering(current_limit=1e-6), bench.visit([positions]) as visit:
            amperes, limited, times = visit.measure(np.array([0, 1]), 0.2)
            off, _, _ = visit.measure(np.array([0, 1]), 0.2, 0.0)
        assert limited.tolist() == [False, True]
        assert amperes[1] == 1e-6
        assert (np.abs(off) < 20e-9).all()
        assert (times > 0.0).all()


@BOTH
def test_what_is_not_allowed_is_refused(name):
    with open_bench(name, seed=1) as bench:
        with pytest.raises(LimitError, match="word line: voltage of 9 V"):
            bench.measure(CELL, gate=9.0)
        with pytest.raises(LimitError, match="bit line: voltage of 9 V"):
            bench.measure(CELL, 9.0)
        with pytest.raises(InputError, match="word-line voltage is 'on'"):
            bench.measure(CELL, gate="on")
        with pytest.raises(LimitError, match="bit line: current of 1 A"), bench.metering(current_limit=1.0):
            pass
        assert math.isfinite(bench.measure(CELL).current)


def test_a_broken_line_reaches_no_cell_behind_the_break_and_a_leaky_selector_conducts_while_off():
    with open_bench(preset="ideal", seed=1) as bench:
        BrokenLineAccident("multiply", "row", 3, first=5)(bench.laboratory)
        LeakySelector(1e-6, ("multiply", 3, 2))(bench.laboratory)
        for column in (2, 7):
            bench.pulse(Cell("multiply", 3, column), FORM)
        assert bench.read(Cell("multiply", 3, 2)) == pytest.approx(28e-6, rel=0.05)
        assert abs(bench.read(CELL)) < 0.1e-6
        assert bench.laboratory.chip.cells["multiply"].status((3, 7)) == 0  # the pulse did not arrive
        assert bench.measure(Cell("multiply", 3, 2), gate=0.0).current == pytest.approx(0.2e-6, rel=0.1)
