"""What a meter shows of nothing, and from where on a reading is told from that."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from scipy.stats import norm, t

from mho import Cell, open_bench
from mho.errors import BenchError
from mho.instruments import Bench
from mho.procedures.cells.detection_limit import CHANCE, EFFICIENCY, Blank, blanks_parameter, read_blanks


def test_the_critical_level_is_that_of_currie():
    blank = Blank(offset=1e-9, deviation=2e-9, freedom=20.0, share=0.25)
    assert blank.limit(1) == pytest.approx(1e-9 + t.isf(CHANCE, 20) * 2e-9 * np.sqrt(1.0 + 0.25))
    assert blank.limit(50, 4.0) == pytest.approx(1e-9 + t.isf(CHANCE / 50, 20) * 2e-9 * np.sqrt(0.25 + 0.25))
    assert blank.quantile(0) == blank.quantile(1) == pytest.approx(t.isf(1e-4, 20))


def test_a_blank_is_the_middle_of_its_readings_and_their_scatter_as_if_normal():
    ranks = (np.arange(1, 100) - 0.5) / 99.0  # of normal readings
    readings = 3e-9 + 2e-9 * norm.ppf(ranks)
    blank = Blank.of(readings)
    assert blank.offset == pytest.approx(3e-9)
    assert blank.deviation == pytest.approx(2e-9, rel=0.02)
    assert blank.freedom == pytest.approx(EFFICIENCY * 98, rel=1e-12)
    assert pytest.approx(0.367, rel=0.02) == EFFICIENCY  # of that scatter
    assert blank.share == pytest.approx(np.pi / 2.0 / 99.0)  # variance of a median, of that of a reading
    leaky = np.where(ranks > 0.95, 1e-6, readings)
    assert Blank.of(leaky).limit(1) == pytest.approx(blank.limit(1), rel=0.15)
    assert Blank.of(np.array([1.0, 2.0])).freedom == 1.0


@pytest.mark.parametrize(("known", "beyond"), [(2, 2), (3, 3), (2, 0)])
def test_half_of_the_blanks_are_enough(known: int, beyond: int):
    readings = np.append(np.linspace(0.0, 1.0, known), np.full(beyond, np.nan))
    assert Blank.of(readings) == Blank.of(readings[:known])


@pytest.mark.parametrize(("known", "beyond"), [(2, 3), (1, 0), (0, 4), (1, 1)])
def test_fewer_say_that_cells_leak_or_no_word_line_is_connected(known: int, beyond: int):
    readings = np.append(np.ones(known), np.full(beyond, np.inf))
    with pytest.raises(BenchError, match=rf"^{beyond} of {known + beyond} blank readings, .* are beyond"):
        Blank.of(readings)


@dataclass
class Meter:
    """A bench that notes what it is asked to measure."""

    bench: Bench
    asked: list[tuple[Cell, float, float]] = field(default_factory=list)
    currents: list[float] = field(default_factory=list)

    def measure(self, cell: Cell, volts: float, gate: float) -> object:
        self.asked.append((cell, volts, gate))
        measured = self.bench.measure(cell, volts, gate)
        self.currents.append(measured.current)
        return measured

    @property
    def file(self) -> object:
        return self.bench.file


@pytest.mark.parametrize("voltage", [None, -0.05])
def test_blanks_are_read_with_the_transistor_off_and_go_round_the_cells(voltage: float | None):
    cells = [Cell("multiply", row, column) for row, column in ((0, 0), (0, 1), (1, 0))]
    with open_bench("arrays", seed=1) as bench:
        meter = Meter(bench)
        blank = read_blanks(meter, cells, 7, voltage)
        volts = bench.file.read.voltage if voltage is None else voltage
    assert meter.asked == [(cells[number % 3], volts, 0.0) for number in range(7)]
    assert blank == Blank.of(np.array(meter.currents) / volts)
    assert 0.0 < blank.deviation < 1e-7
    assert abs(blank.offset) < 1e-7
    assert read_blanks(meter, cells, 0) is None


def test_a_run_reads_64_blanks_unless_it_says_so_none_for_0_and_2500_at_most():
    parameter = blanks_parameter()
    assert parameter.default == 64
    parameter.value = 0
    parameter.value = 2500
    for wrong, says in ((-1, "below the minimum"), (2501, "above the maximum")):
        with pytest.raises(ValueError, match=says):
            parameter.value = wrong
