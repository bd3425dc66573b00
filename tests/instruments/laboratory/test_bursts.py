"""Long bursts of a waveform that goes up and down reach a cell cycle after cycle, at the wire and without instruments."""

from __future__ import annotations

import numpy as np
import pytest

from mho.errors import BenchError, InputError
from mho.instruments import Bench, Cell, Pulse, open_bench
from mho.instruments.bench import at_temperature, check_temperature

CYCLE = [0.0, 0.0, 3.0, 0.0, 0.0, -2.2, 0.0, 0.0]
CELL = Cell("multiply", 0, 0)


def formed(bench: Bench, cell: Cell = CELL) -> None:
    for volts in (3.5, 3.9, 4.3):
        bench.pulse(cell, Pulse("set", volts, 1e-6, 1.6))
        if bench.read(cell) > 1e-6:
            return


def wear(bench: Bench) -> float:
    assert bench.simulated is not None
    chip = bench.simulated.chip
    cells, index = chip.at("multiply", np.array([0]), np.array([0]))
    return float(cells.wear(index).item())


@pytest.mark.parametrize("name", ["simulated", "arrays"])
def test_a_cycle_of_a_long_burst_wears_as_one_of_a_short_burst_and_leaves_the_cell_alive(name):
    with open_bench(name, preset="ideal", seed=1) as bench:
        formed(bench)
        each = []
        for count in (100, 100_000):
            before, begun = wear(bench), bench.now()
            bench.waveform(CELL, "set", CYCLE, interval=100e-9, gate=1.8, count=count)
            each.append((wear(bench) - before) / count)
            assert bench.now() - begun == pytest.approx(count * len(CYCLE) * 100e-9, rel=0.01, abs=0.01)
        assert each[1] == pytest.approx(each[0], rel=0.25)
        bench.pulse(CELL, Pulse("set", 3.0, 100e-9, 1.8))
        assert bench.read(CELL) > 20e-6


def test_a_waveform_on_the_source_line_acts_with_the_other_sign():
    with open_bench("arrays", preset="ideal", seed=1) as bench:
        formed(bench)
        bench.waveform(CELL, "reset", [0.0, 3.0, 0.0], interval=100e-9, gate=2.8)
        low = bench.read(CELL)
        bench.waveform(CELL, "reset", [0.0, -3.0, 0.0], interval=100e-9, gate=1.8)
        assert low < 1e-6 < 20e-6 < bench.read(CELL)


def test_a_simulated_chip_takes_a_temperature_and_what_is_none_is_refused():
    with open_bench(seed=1) as bench:
        assert bench.simulated is not None
        room = bench.simulated.chip.temperature
        with at_temperature(bench, 398.15), at_temperature(bench, None):
            assert bench.simulated.chip.temperature == 398.15
        assert bench.simulated.chip.temperature == room
        with pytest.raises(InputError, match="temperature is -1 K"):
            check_temperature(bench, -1.0)
        bench.simulated = None
        with pytest.raises(BenchError, match="no temperature controller"):
            check_temperature(bench, 398.15)
