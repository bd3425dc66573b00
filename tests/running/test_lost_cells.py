"""Cells that a run's own pulses destroyed are counted in its result and said, apart from the chip's own defects."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from daily import daily

from mho import run
from mho.analysis.reports import collect_defects
from mho.errors import Aborted, InputError
from mho.instruments import ArrayBench, Bench, Cell, Pulse, open_bench
from mho.instruments.bench import PulseDamage
from mho.instruments.simulated import CELL_PRESETS, preset_text
from mho.procedures import Procedure, Program, Read, Refresh, stream
from mho.procedures.stream import Control, Progress
from mho.running.continuing import resume
from mho.runs import Layout, RunFile, Status

FORMS, WRITES = Pulse("set", 4.0, 1e-6, 1.6), Pulse("set", 3.0, 100e-9, 1.2)
TWO = [Cell("multiply", 2, 3), Cell("multiply", 0, 5)]
WEAK = 2.8  # V, below the SET pulses of write-verify


class Writing(Procedure):
    """Forms two cells, and writes them: on cells that bear less than the pulses, it destroys them."""

    cells: ClassVar[list[Cell]] = TWO
    fails: ClassVar[bool] = False

    def layout(self, plan: None) -> Layout:
        return Layout()

    def execute(self, plan: None, bench: Bench, stream: object) -> dict[str, int]:
        for cell in self.cells:
            bench.pulse(cell, FORMS)
            bench.pulse(cell, WRITES)
        if self.fails:
            raise InputError("no more")
        return {"written": len(self.cells)}


class Failing(Writing):
    """Fails afterwards."""

    fails: ClassVar[bool] = True


def weak_cells(path: Path, stuck_on: float = 0.0) -> str:
    """A preset of cells that bear less than their chip map says, a share of which is stuck by itself."""
    cells = replace(CELL_PRESETS["ideal"], name="weak", damage_voltage=WEAK, stuck_on=stuck_on)
    path.write_text(preset_text(cells))
    return str(path)


@pytest.fixture
def weak(tmp_path: Path) -> str:
    return weak_cells(tmp_path / "weak.toml")


def warnings(path: Path) -> list[str]:
    with RunFile(path) as file:
        return [entry.message for entry in file.log() if entry.level == "WARNING"]


@pytest.mark.parametrize("bench", daily(["simulated", "arrays"], ["arrays"]))
def test_what_a_run_destroyed_is_in_its_result_and_its_log(bench, weak, tmp_path):
    path = tmp_path / "a.h5"
    run(Writing(), bench, preset=weak, seed=1, output=path)
    with RunFile(path) as file:
        result = file.summary
    assert (result["lost_by_pulses"], result["lost_by"]) == (2, {"over-voltage": 2})
    assert result["lost_cells"] == [
        {"array": one.array, "row": one.row, "column": one.column, "cause": "over-voltage", "stress": "3 V on the bit line"}
        for one in sorted(TWO)
    ]  # fmt: skip
    assert warnings(path) == [
        "2 cells were destroyed by this run's own pulses (over-voltage 2): multiply[0, 5] by 3 V on the bit line, "
        "multiply[2, 3] by 3 V on the bit line"
    ]


@pytest.mark.parametrize("bench", daily(["simulated", "arrays"], ["simulated"]))
def test_pulses_that_harm_nothing_count_0_and_reads_count_nothing(bench, tmp_path):
    run(Writing(), bench, preset="ideal", seed=1, output=tmp_path / "a.h5")
    run(Read(rows="0:2", columns="0:2"), bench, seed=1, output=tmp_path / "b.h5")
    with RunFile(tmp_path / "a.h5") as one, RunFile(tmp_path / "b.h5") as other:
        assert one.summary["lost_by_pulses"] == 0
        assert not {"lost_by", "lost_cells", "beyond_ratings"} & set(one.summary)
        assert "lost_by_pulses" not in other.summary
    assert warnings(tmp_path / "a.h5") == []


def test_a_run_that_fails_says_what_it_destroyed(weak, tmp_path):
    with pytest.raises(InputError):
        run(Failing(), preset=weak, seed=1, output=tmp_path / "a.h5")
    assert warnings(tmp_path / "a.h5")[0].startswith("2 cells were destroyed by this run's own pulses")


def test_the_next_run_on_the_chip_does_not_count_them_again(weak, tmp_path):
    with open_bench(preset=weak, seed=1) as bench:
        run(Writing(), bench, output=tmp_path / "a.h5")
        run(Writing(), bench, output=tmp_path / "b.h5")
    with RunFile(tmp_path / "b.h5") as file:
        assert file.summary["lost_by_pulses"] == 0


# --- programming ---

DIGITS = np.array([[7, 0, 7], [0, 7, 6]])


@pytest.mark.parametrize("bench", daily(["simulated", "arrays"], ["arrays"]))
def test_programming_tells_them_apart_from_cells_that_are_stuck_by_themselves(bench, tmp_path):
    weak = weak_cells(tmp_path / "weak.toml", stuck_on=0.3)
    result = run(Program(digits=np.full((6, 6), 7)), bench, preset=weak, seed=3, output=tmp_path / "a.h5")
    lost, own = result.summary["lost_by_pulses"], result.summary["outcomes"]["stuck_high"]
    assert lost + own == 36
    assert 0 < own < 36
    assert result.summary["outcomes"] == {"stuck_high": own, "lost_by_pulses": lost}
    assert (
        f"36 cells read outside their verify window after the last pass: {own} stuck high: RESET pulses do not lower it; "
        f"{lost} destroyed by our own pulses: they are no defects of the chip's own"
    ) in warnings(tmp_path / "a.h5")
    findings = collect_defects([tmp_path / "a.h5"]).defects.defects
    assert [one.defect for one in findings] == ["stuck on"] * 36
    assert sum(one.lost_by == "over-voltage, 3 V on the bit line" for one in findings) == lost


@pytest.mark.thorough
def test_a_run_that_goes_on_counts_what_the_attempt_before_it_destroyed(weak, tmp_path, monkeypatch):
    monkeypatch.setattr(stream, "PACE", -1.0)
    first, control = tmp_path / "1.h5", Control()

    def stop(event: object) -> None:
        if isinstance(event, Progress) and event.done >= 2:
            control.abort("enough")

    procedure = Program(digits=DIGITS)
    with pytest.raises(Aborted):
        run(procedure, preset=weak, seed=5, output=first, observers=[stop], control=control)
    assert warnings(first)[0].startswith("1 cell was destroyed by this run's own pulses")
    second = resume(first, output=tmp_path / "2.h5")
    assert second.summary["lost_by_pulses"] == np.count_nonzero(DIGITS)
    again = run(Refresh(of=str(second.path)), after=second.path, output=tmp_path / "3.h5")
    assert again.summary["lost_by_pulses"] == 0


# --- cells of real benches: nobody knows their state ---

RATINGS = {"bit_line": 2.9, "source_line": 5.0, "current": 5e-5}


@pytest.fixture
def real() -> object:
    """A bench that counts as for real cells, which bear little by their chip map."""
    with open_bench(preset="ideal", seed=1) as bench:
        bench.damage = PulseDamage(None, RATINGS)
        yield bench


def test_a_real_cell_with_more_than_it_bears_is_said_and_is_lost_once_it_is_found_stuck(real, tmp_path):
    run(Writing(), real, output=tmp_path / "a.h5")
    with RunFile(tmp_path / "a.h5") as file:
        assert (file.summary["lost_by_pulses"], file.summary["beyond_ratings"]) == (0, 2)
    assert warnings(tmp_path / "a.h5") == [
        "2 cells were given more than a cell bears by the chip map, and may be damaged (over-voltage 2): multiply[2, 3] by "
        "4 V on the bit line, multiply[0, 5] by 4 V on the bit line"
    ]
    real.damage.note_stuck("multiply", np.array([0, 1]), np.array([5, 1]))
    assert [str(one) for one in real.damage.lost()] == ["multiply[0, 5] by 4 V on the bit line"]
    assert real.damage.lost_among("multiply", np.array([0, 1]), np.array([1, 5])).tolist() == [
        [False, True],
        [False] * 2,
    ]
    real.damage.begin()
    assert real.damage.lost() == real.damage.stressed() == ()


def test_programming_finds_which_of_them_are_stuck(real, tmp_path):
    real.simulated.chip.cells["multiply"].fix((0, 0), 200e-6)
    result = run(Program(digits=np.array([[3, 4], [0, 2]])), real, output=tmp_path / "a.h5")
    assert (result.summary["lost_by_pulses"], result.summary["beyond_ratings"]) == (0, 2)
    real.damage = PulseDamage(None, RATINGS | {"source_line": 2.9})  # full RESETs of 3 V are too much as well
    result = run(Program(digits=np.array([[3, 4], [0, 2]])), real, output=tmp_path / "b.h5")
    assert result.summary["lost_by_pulses"] == 1
    (one,) = collect_defects([tmp_path / "b.h5"]).defects.defects
    assert (str(one.place), one.lost_by) == ("multiply[0, 0]", "over-voltage, 3 V on the source line")


def test_levels_of_reads_and_sweeps_and_their_currents_count_too(real):
    cell, sweep = TWO
    real.read(cell)
    assert real.damage.stressed() == ()
    real.simulated.chip.cells["multiply"].fix(cell[1:], 150e-6)
    real.measure(cell, 0.5)
    real.sweep(sweep, [0.1, 3.0, 0.1], gate=0.0)
    assert sorted(map(str, real.damage.stressed())) == [
        "multiply[0, 5] by 3 V on the bit line",
        "multiply[2, 3] by 7.49e-05 A on the bit line",
    ]


def test_pulses_of_an_attempt_before_this_process_count_as_they_were_recorded(real):
    rows, columns = np.array([0, 1, 2]), np.array([4, 4, 4])
    real.damage.note_voltages("multiply", rows, columns, "bit line", np.array([2.9, 3.0, -3.2]))
    assert [str(one) for one in real.damage.stressed()] == [
        "multiply[1, 4] by 3 V on the bit line", "multiply[2, 4] by 3.2 V on the bit line",
    ]  # fmt: skip


def test_a_visit_of_many_cells_counts_as_pulses(tmp_path):
    with open_bench("arrays", preset="ideal", seed=1) as bench:
        assert isinstance(bench, ArrayBench)
        bench.damage.begin()
        run(Program(digits=np.zeros((2, 2), int)), bench, output=tmp_path / "a.h5")
        with RunFile(tmp_path / "a.h5") as file:
            assert file.status is Status.FINISHED
            assert file.summary["lost_by_pulses"] == 0
