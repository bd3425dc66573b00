"""I-V loops: levels, what a sweep leaves, the instrument's own timing, the run file, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from mho import IV, Form, run
from mho.errors import Aborted, BenchError, ChipMapError, InputError, LimitError
from mho.instruments import Cell, Pulse, open_bench
from mho.instruments.laboratory.accidents import BadCell, OutputKey
from mho.instruments.simulated.faults import Fault
from mho.instruments.simulated.physics.cells.switching import set_rate
from mho.procedures import Program, Sweep
from mho.procedures.catalogue import make_procedure
from mho.procedures.cells.switching.iv import MOST_POINTS, conductance_left, levels
from mho.procedures.stream import Control, Progress
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


@pytest.mark.thorough
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


@pytest.mark.thorough
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


def expected_set_voltage(volts, preset, limit, aperture):
    """Where log G rises most steeply as each level acts for its aperture (physics/cells/switching/pulse_effects.py)."""
    g = [preset.floor]
    for level in volts:
        progress = (
            -np.expm1(-aperture * set_rate(preset, level, preset.set_threshold)) if level > 0.6 else 0.0
        )
        g.append(g[-1] + (limit - g[-1]) * progress)
    steepest = int(np.diff(np.log(g)).argmax())
    return volts[steepest]


@pytest.mark.thorough
def test_set_and_reset_voltages_are_those_of_the_cells_law(tmp_path):
    with open_bench(preset="ideal", seed=3) as bench:
        preset = bench.laboratory.chip.preset
        run(Form(rows="0", columns="0:2", step=0.2), bench, output=tmp_path)
        given = {
            "rows": "0",
            "columns": "0:2",
            "highest": 1.6,
            "lowest": -1.4,
            "gate": 1.8,
            "gate_reset": 2.8,
        }
        found = run(IV(**given, cycles=3), bench, output=tmp_path)
    up = levels(1.6, 0.0, 0.02)
    expected = expected_set_voltage(up[: len(up) // 2 + 1], preset, 35e-6, 0.01 / 60.0)
    assert_allclose(
        found.loops.v_set[1:], expected, atol=0.03
    )  # the first loop begins set, as forming leaves it
    assert np.isnan(found.loops.v_set[0]).all()
    assert_allclose(found.loops.v_reset, -preset.reset_threshold, atol=0.045)
    assert_allclose(found.loops.lrs, 35e-6, rtol=0.02)
    assert (found.loops.window > 50.0).all()
    assert (found.summary["sets"], found.summary["resets"]) == (4, 6)
    with RunFile(found.path) as file:
        table = file.table("loops")
        assert table["cycle"].tolist() == [0, 0, 1, 1, 2, 2]
        assert_array_equal(table["v_reset"], found.loops.v_reset.ravel())


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["simulated", "arrays"])
def test_the_compliance_of_the_source_sets_the_level_and_that_of_the_gate_does_without_it(name, tmp_path):
    lrs = {}
    with open_bench(name, preset="ideal", seed=3) as bench:
        run(Form(rows="0", columns="0", step=0.2), bench, output=tmp_path)
        for limit in (3e-6, 10e-6, None):
            given = {"highest": 1.6, "lowest": -1.4, "gate": 1.8, "gate_reset": 2.8}
            found = run(
                IV(rows="0", columns="0", compliance=limit, **given, cycles=2), bench, output=tmp_path
            )
            lrs[limit] = found.loops.lrs[-1, 0, 0]
            assert found.limited.any() == (limit is not None)
            assert not found.limited[..., found.voltages < 0.0].any()  # a RESET has the bench's own limit
            assert bench._meter.current_limit == 1e-4
    assert lrs[None] == pytest.approx(35e-6, rel=0.02)
    for limit in (3e-6, 10e-6):
        assert 0.55 < limit / lrs[limit] < 0.95  # a voltage over the limit, see docs/cells.md


def test_virgin_cells_are_said_to_need_forming(tmp_path):
    said = []
    virgin = IV(rows="0", columns="0:3", forming="no")
    swept = run(virgin, seed=1, output=tmp_path, observers=[said.append])
    texts = [event.text for event in said if hasattr(event, "text")]
    assert any(
        text.startswith("none of 3 cells was ever formed: nothing was measured; form") for text in texts
    )
    assert any("mho run form --array multiply --rows 0 --columns 0:3" in text for text in texts)
    assert (swept.summary["unformed"], swept.summary["conducting"]) == (3, 0)
    for name in ("lrs", "hrs", "window", "v_set", "mean_conductance", "largest_current"):
        assert swept.summary[name] is None


def test_loops_that_are_broken_off_are_extracted_as_far_as_they_went(tmp_path):
    control = Control()

    def stop(event):
        if isinstance(event, Progress) and event.stage == "sweeping" and event.done == 3:
            control.abort("enough")

    sweep = IV(rows="0:2", columns="0:2", step=0.1, cycles=3)
    with open_bench(preset="ideal", seed=1) as bench, pytest.raises(Aborted):
        run(sweep, bench, output=tmp_path / "broken.h5", observers=[stop], control=control)
    with RunFile(tmp_path / "broken.h5") as file:
        assert file.column("loops", "sweep").tolist() == [0, 1, 2]
        assert file.length("sweeps") == 3 * 11


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"gate_reset": 2.8}, InputError, "gate_reset is for the negative half, and none is swept"),
        (
            {"highest": 0.0, "lowest": -1.0, "compliance": 1e-5},
            InputError,
            "compliance is for the positive half",
        ),
        ({"compliance": 0.5}, LimitError, "bit line: current of 0.5 A"),
        ({"lowest": -1.0, "gate_reset": 5.0}, LimitError, "word line: voltage of 5 V"),
    ],
)
def test_halves_that_cannot_be_swept_are_refused_before_a_file_exists(given, error, said, tmp_path):
    with pytest.raises(error, match=said):
        run(IV(**given), seed=1, output=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name",
    ["sweep", "Sweep", "procedures:Sweep", "procedures.sweep:Sweep", "mho.procedures:Sweep",
     "mho.procedures.cells.sweep:Sweep", "mho.procedures.cells.switching.sweep:Sweep"],
)  # fmt: skip
def test_the_former_name_is_understood_with_its_defaults(name):
    sweep = make_procedure(name, {"rows": "0", "cycles": 2})
    assert type(sweep) is IV
    assert (sweep.highest, sweep.lowest, sweep.step, sweep.cycles) == (0.5, 0.0, 0.02, 2)
    assert IV.from_version("1", {"gate": 0.0, "rows": "0"}) == {
        "rows": "0",
        "extract": False,
        "forming": "no",
        "blanks": 0,
    }
    assert IV.from_version("2", {"gate": 0.0}) == {
        "gate": 0.0,
        "extract": False,
        "forming": "no",
        "blanks": 0,
    }
    assert IV.from_version("3", {"gate": 0.0}) == {"gate": 0.0, "forming": "no", "blanks": 0}
    assert IV.from_version("4", {"gate": 0.0}) == {"gate": 0.0}


def test_a_sweep_that_extracts_nothing_holds_what_a_sweep_of_before_held(tmp_path):
    """So that `rerun` and `--after` find the same datasets in files of before."""
    swept = run(IV(rows="0", columns="0:2", step=0.1, extract=False), seed=1, output=tmp_path)
    assert swept.loops is None
    assert set(swept.summary) == {
        "cells", "sweeps", "points", "limited_points", "largest_current", "mean_conductance", "virtual_seconds",
        "wall_seconds", "run_file", "lost_by_pulses",
    }  # fmt: skip
    with RunFile(swept.path) as file:
        assert set(file.tables) - {"log"} == {"sweeps"}
        assert [figure.name for figure in file.figures] == ["current_voltage", "multiply_conductance"]
        assert not [entry for entry in file.log() if entry.level == "WARNING"]
