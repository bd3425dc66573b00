"""I-V sweeps: levels, what a sweep leaves, the instrument's own timing, the run file, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from mho import run
from mho.errors import BenchError, ChipMapError, InputError, LimitError
from mho.instruments import Cell, Pulse, open_bench
from mho.instruments.laboratory.accidents import BadCell, OutputKey
from mho.instruments.simulated.faults import Fault
from mho.procedures import Program, Sweep
from mho.procedures.cells.switching.sweep import MOST_POINTS, conductance_left, levels
from mho.runs import RunFile

VOLTS = st.floats(0.0, 10.0).map(lambda volts: round(volts, 3))


@given(VOLTS, VOLTS, st.floats(0.02, 1.0))
def test_a_sweep_goes_up_down_and_back_and_no_step_is_too_large(highest, depth, step):
    if not highest and not depth:
        return
    volts = levels(highest, -depth, step)
    assert volts[0] == volts[-1] == 0.0
    assert (volts.max(), volts.min()) == (highest, -depth)
    assert np.abs(np.diff(volts)).max() <= step * (1 + 1e-6)
    turns = np.flatnonzero(np.diff(np.sign(np.diff(volts))))
    assert len(turns) == (highest > 0) + (depth > 0)
    assert len(volts) <= 2 + 2 * (highest + depth) / step + 3


@pytest.mark.parametrize(
    ("highest", "lowest", "step", "said"),
    [
        (0.0, 0.0, 0.1, "goes nowhere"),
        (-1.0, -2.0, 0.1, "goes nowhere"),
        (1.0, 0.0, 0.0, "a step of 0 V"),
        (1.0, 0.0, float("nan"), "a step of nan V"),
        (10.0, 0.0, 1e-3, f"has 20001 points, and {MOST_POINTS} is the most"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused(highest, lowest, step, said):
    with pytest.raises(InputError, match=said):
        levels(highest, lowest, step)


@pytest.mark.parametrize(("highest", "lowest"), [(1.0, 0.0), (0.0, -1.0), (1.0, -1.0)])
def test_what_is_left_is_the_slope_of_the_way_back(highest, lowest):
    volts = levels(highest, lowest, 0.05)
    turned = np.flatnonzero(volts == (lowest or highest))[-1]
    currents = np.where(np.arange(len(volts)) > turned, 30e-6, 1e-6) * volts
    limited = np.zeros(len(volts), dtype=bool)
    assert conductance_left(volts, currents, limited, 0.2) == pytest.approx(30e-6, rel=1e-9)
    assert np.isnan(conductance_left(volts, currents, ~limited, 0.2))


def test_a_formed_cell_is_an_ohmic_line_while_the_voltage_is_low(tmp_path):
    with open_bench(preset="ideal", seed=3) as bench:
        programmed = run(Program(digits=[[3, 7]]), bench, output=tmp_path)
        swept = run(
            Sweep(rows="0", columns="0:2", highest=0.4, lowest=-0.4, cycles=2), bench, output=tmp_path
        )
    assert_allclose(swept.conductance, [programmed.achieved] * 2, rtol=0.02)
    assert_allclose(
        swept.currents[1, 0], programmed.achieved[0][:, None] * swept.voltages, rtol=0.05, atol=2e-8
    )
    assert not swept.limited.any()


def test_a_loop_sets_a_cell_by_its_gate_and_resets_it(tmp_path):
    with open_bench(preset="ideal", seed=3) as bench:
        run(Program(digits=[[7]]), bench, output=tmp_path)
        loop = Sweep(rows="0", columns="0", highest=2.0, lowest=-1.6, gate=1.8, step=0.05)
        both = run(loop, bench, output=tmp_path)
        up = run(Sweep(rows="0", columns="0", highest=2.0, gate=1.8, step=0.05), bench, output=tmp_path)
        stronger = run(Sweep(rows="0", columns="0", highest=2.0, gate=2.1, step=0.05), bench, output=tmp_path)
    assert both.conductance < 3e-6
    assert up.conductance > 10e-6
    assert stronger.conductance > 1.1 * up.conductance


def test_every_point_is_a_row_in_the_order_of_the_sweeps_and_viewers_know_the_curves(tmp_path):
    swept = run(Sweep(rows="2, 0", columns="1", cycles=2, highest=0.1, step=0.05), seed=4, output=tmp_path)
    with RunFile(swept.path) as file:
        table = file.table("sweeps")
        assert (file.default, file.plotted("sweeps")) == ("sweeps", ("current", "voltage"))
        assert (file.series("sweeps"), file.series("log") if "log" in file.tables else "") == ("sweep", "")
        assert table["sweep"].tolist() == np.repeat(range(4), 5).tolist()
        assert table["row"].tolist() == np.repeat([2, 0, 2, 0], 5).tolist()
        assert_allclose(table["voltage"], np.tile(swept.voltages, 4), atol=2e-3)
        assert_array_equal(table["current"], swept.currents.ravel())
        assert len(file.map_times("multiply_conductance")) == 2
        assert_array_equal(file.map("multiply_conductance"), swept.conductance[1, ::-1])


def test_a_sweep_is_one_list_on_the_instrument(tmp_path):
    with open_bench(preset="ideal", seed=1) as bench:
        bench.sweep(Cell("multiply", 0, 0), [0.1])
        device = bench.laboratory.devices[bench.file.instruments.smu.address]
        write, seen = device.write, []
        device.write = lambda data, *end: (seen.append(data), write(data, *end))[1]
        start = bench.now()
        bench.sweep(Cell("multiply", 0, 0), [0.1] * 80, delay=5e-3)
        assert sum(b"INIT" in message for message in seen) == 1
        assert sum(b"5.000000000e-03" in message for message in seen) == 1
        assert len(seen) < 12
        assert bench.now() - start >= 80 * 5e-3


def test_a_shorted_cell_runs_into_compliance_and_says_so_point_by_point(tmp_path):
    with open_bench(preset="ideal", seed=1) as bench:
        BadCell(10e-3, ("multiply", 0, 0))(bench.laboratory)
        swept = run(Sweep(rows="0", columns="0", highest=0.5, step=0.1), bench, output=tmp_path)
    assert_array_equal(swept.limited[0, 0, 0], swept.voltages > 1e-4 / 10e-3)
    assert swept.currents.max() == pytest.approx(1e-4, rel=0.01)
    assert np.isnan(swept.conductance).all()
    assert (swept.summary["limited_points"], swept.summary["mean_conductance"]) == (9, None)


@pytest.mark.parametrize(
    ("procedure", "error", "said"),
    [
        (Sweep(rows="0:9999"), ChipMapError, "row 9998 is not among them"),
        (Sweep(highest=5.0), LimitError, "bit line: voltage of 5 V exceeds the limit of 4.6 V"),
        (Sweep(lowest=-5.0), LimitError, "bit line: voltage of -5 V exceeds the limit of 4.6 V"),
        (Sweep(gate=4.5), LimitError, "word line: voltage of 4.5 V"),
        (Sweep(highest=0.0), InputError, "goes nowhere"),
        (
            Sweep(cycles=100_000, step=1e-3),
            InputError,
            "400,400,000 points are more than the 50,000,000 a run may",
        ),
    ],
)
def test_what_cannot_be_swept_is_refused_before_a_file_exists(procedure, error, said, tmp_path):
    with pytest.raises(error, match=said):
        run(procedure, seed=1, output=tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_output_switched_off_by_hand_is_no_curve(tmp_path):
    with open_bench(preset="ideal", seed=1) as bench:
        bench.sweep(Cell("multiply", 0, 0), [0.1])
        key = OutputKey(bench.file.instruments.smu.address)
        bench.laboratory.faults.append(Fault("", "accident", after=0, accident=key))
        with pytest.raises(BenchError, match="switched off by hand"):
            bench.sweep(Cell("multiply", 0, 0), [0.1, 0.2])


def test_a_burst_of_pulses_is_one_trigger():
    with open_bench(preset="ideal", seed=1) as bench:
        cell, pulse = Cell("multiply", 0, 0), Pulse("set", 3.3, 1e-6, 1.6)
        bench.pulse(cell, pulse)
        device = bench.laboratory.devices[bench.file.instruments.pulser.address]
        write, seen = device.write, []
        device.write = lambda data, *end: (seen.append(data), write(data, *end))[1]
        before = bench.laboratory.monitor.pulses
        bench.pulse(cell, pulse, count=5)
        assert bench.laboratory.monitor.pulses == before + 5
        assert sum(b"BURS:NCYC 5" in message for message in seen) == 1
        assert len(seen) <= 3
