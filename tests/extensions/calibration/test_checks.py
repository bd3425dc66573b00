"""A preset held to runs: of the chip's own cells few numbers lie outside, of others many."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from mho.errors import InputError
from mho.extensions.calibration import Check, check_runs, read_records, save_checks
from mho.extensions.calibration.checks import measured_run, repeat
from mho.extensions.calibration.compared_numbers import _edges, _grouped
from mho.instruments import open_bench
from mho.procedures import Form, Program, Response, Solve, Switching
from mho.running import run
from mho.runs import RunFile

DRAWS = 40
NAMES = ("time", "array", "row", "column", "kind", "voltage", "width", "gate", "conductance")
SHIFTED = 'name = "shifted"\nbase = "stanford"\n[parameters]\ngate_threshold = 1.75\nforming_voltage = 3.5\n'


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One chip of `stanford`: formed, its response, programmed, cycled."""
    folder = tmp_path_factory.mktemp("chip")
    paths = {name: folder / f"{name}.h5" for name in ("form", "response", "program", "cycles")}
    where = {"rows": "0:3", "columns": "0:4"}
    digits = np.random.default_rng(1).integers(0, 4, (3, 4))
    response, cycles = Response(**where, points=5, repeats=1), Switching(**where, cycles=3)
    with open_bench("stanford-arrays", seed=5) as bench:  # open throughout: nothing is repeated before a run
        for name, procedure in zip(
            paths, (Form(**where), response, Program(digits=digits), cycles), strict=True
        ):
            run(procedure, bench, seed=1, output=paths[name])
    return paths


def outside(checks: tuple[Check, ...], run: str) -> float:
    some = [one.outside for one in checks if one.run == run]
    assert some
    return float(np.mean(some))


@pytest.mark.thorough
def test_other_cells_are_outside(runs: dict[str, Path], tmp_path: Path) -> None:
    own, other = (check_runs([runs["form"]], preset, DRAWS, seed=1) for preset in ("stanford", SHIFTED))
    assert not own.not_repeated
    assert outside(own.checks, "form.h5") == 0.0
    assert outside(other.checks, "form.h5") > 0.5


@pytest.mark.thorough
def test_a_program_run_on_cells_that_are_there_already_is_not_repeated(
    runs: dict[str, Path], tmp_path: Path
) -> None:
    digits = np.random.default_rng(1).integers(0, 4, (3, 4))
    again = tmp_path / "again.h5"
    run(Program(digits=digits), "stanford-arrays", after=runs["program"], output=again)
    assert not measured_run(runs["program"]).why_not
    assert "in their windows" in measured_run(again).why_not


@pytest.mark.slow
def test_the_chips_own_preset_is_seldom_outside_and_another_often(
    runs: dict[str, Path], tmp_path: Path
) -> None:
    paths = [runs["response"], runs["program"]]
    own = check_runs(paths, "stanford", DRAWS, held_out=[runs["cycles"]], seed=1)
    other = check_runs(paths, SHIFTED, DRAWS, seed=1)
    assert np.mean([one.outside for one in own.checks]) < 0.2
    assert outside(other.checks, "response.h5") > 0.3
    assert outside(other.checks, "program.h5") > outside(
        own.checks, "program.h5"
    )  # reads choose its pulses: it tells less
    assert {one.run for one in own.checks if one.held_out} == {"cycles.h5"}
    numbers = {one.quantity.panel for one in own.checks if one.run == "program.h5"}
    assert {"pulses a cell, mean", "share in the window", "G after SET, mean"} <= numbers


@pytest.mark.thorough
def test_the_same_seed_draws_the_same(runs: dict[str, Path]) -> None:
    measured = measured_run(runs["form"])
    assert measured is not None
    one, again, other = (repeat(measured, "stanford", seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one["conductance"], again["conductance"])
    assert len(one["time"]) != len(other["time"])


def test_pulses_of_a_run_without_digits_are_compared(tmp_path: Path) -> None:
    formed, cycles, where = tmp_path / "form.h5", tmp_path / "cycles.h5", {"rows": "0:2", "columns": "0:2"}
    run(Form(**where), "stanford-arrays", seed=5, output=formed)
    run(Switching(**where, cycles=3), "stanford-arrays", seed=8, after=formed, output=cycles)
    checks = check_runs([cycles], "stanford", 1).checks
    assert {one.run for one in checks} == {"cycles.h5"}


def test_a_table_that_lacks_a_column_is_refused_by_its_name(runs: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "lacks.h5"
    shutil.copy(runs["response"], path)
    with h5py.File(path, "r+") as file:
        del file["entry/responses/before"]
    with pytest.raises(InputError, match=r"lacks\.h5: the table 'responses' has no column before; name"):
        read_records([path])


def test_edges_of_bins_lie_between_the_steps_of_a_ladder() -> None:
    """A file has voltages in single precision, a drawn chip in double: both fall into the same bins."""
    steps = np.random.default_rng(1).choice(np.linspace(1.3, 2.2, 40), 2000)
    exact, kept = steps, np.float32(steps).astype(float)
    assert (exact != kept).any()
    edges = _edges(kept)
    assert 4 < len(edges) < 40
    for one, other in zip(_grouped(edges, kept, steps), _grouped(edges, exact, steps), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_largest_value_has_a_bin_of_its_own_where_it_is_frequent() -> None:
    values = np.concatenate([np.linspace(1.0, 2.0, 200), np.full(200, 3.0)])
    assert set(_grouped(_edges(values), values, values)[-1]) == {3.0}


def test_edges_hold_all_values_below_zero_too() -> None:
    for values in ([-5.0, -4.0, -3.0], [-1.0, 1.0], [-2.0]):
        many = np.repeat(values, 40)
        assert sum(len(one) for one in _grouped(_edges(many), many, many)) == len(many)


@pytest.mark.thorough
def test_the_chips_own_preset_passes_on_a_whole_program_run(tmp_path: Path) -> None:
    path = tmp_path / "program.h5"
    digits = np.random.default_rng(4).integers(0, 4, (12, 12))
    run(Program(digits=digits), "stanford-arrays", seed=1, output=path)
    checks = check_runs([path], "stanford", DRAWS, seed=1).checks
    assert len(checks) > 25
    assert np.mean([one.outside for one in checks]) < 0.12


def test_a_number_beyond_all_drawn_ones_has_the_least_probability() -> None:
    quantity = None
    draws = np.arange(99.0)
    assert Check("a.h5", quantity, 200.0, draws).probability == pytest.approx(0.02)  # type: ignore[arg-type]
    assert Check("a.h5", quantity, 49.0, draws).probability == 1.0  # type: ignore[arg-type]


def test_cycles_of_a_solve_are_no_pulses_and_its_pulses_are_read(tmp_path: Path) -> None:
    path = run(Solve(matrix=np.eye(2)), "arrays", seed=1, output=tmp_path / "solve.h5").path
    with RunFile(path) as solved:
        made = solved.table("pulses")
    pulses = read_records([path]).columns
    assert len(pulses["row"]) == len(made["row"]) > 0
    assert pulses["conductance"].tolist() == made["conductance"].tolist()


def test_pulses_of_response_and_cycles_have_their_kinds_and_places(runs: dict[str, Path]) -> None:
    pulses = read_records([runs["response"]]).columns
    kind, after = pulses["kind"], pulses["conductance"]
    assert set(kind.tolist()) == {0.0, 1.0}
    assert (kind == 0).sum() == (kind == 1).sum() > 0
    assert np.median(after[kind == 0]) < np.median(after[(kind == 1) & (pulses["gate"] > 3.0)]) / 3.0
    cycles = read_records([runs["cycles"]]).columns
    assert (cycles["kind"] == 1).sum() == (cycles["kind"] == 2).sum()
    assert np.isnan(cycles["conductance"]).sum() == len(np.unique(cycles["row"] * 4 + cycles["column"]))
    several = read_records([runs["cycles"], runs["program"]]).columns  # in the order in which they were made
    assert several["time"][-1] == several["time"].max()
    assert len(np.unique(several["array"])) == 1


@pytest.mark.thorough
def test_a_foreign_table_is_repeated_pulse_by_pulse_unless_reads_chose_them(
    runs: dict[str, Path], tmp_path: Path
) -> None:
    imports = pytest.importorskip("mho.extensions.imports")
    imported = {}
    for name in ("cycles", "program"):
        pulses = read_records([runs[name]]).columns
        table = tmp_path / f"{name}.csv"
        rows = np.stack([pulses[one] for one in NAMES], axis=1)
        np.savetxt(table, rows, delimiter=",", header=",".join(NAMES), comments="", fmt="%.9g")
        imported[name] = imports.import_table(table, tmp_path / f"{name}.h5")
    found = check_runs(list(imported.values()), "stanford", DRAWS)
    assert {one.run for one in found.checks} == {"cycles.h5"}
    assert outside(found.checks, "cycles.h5") < 0.3
    assert "the reads decided" in found.not_repeated["program.h5"]
    measured = measured_run(imported["cycles"])
    assert measured is not None
    again = repeat(measured, "stanford", 3)  # each cell by itself, in its own order
    assert len(again["time"]) == len(measured.columns["time"])
    before, after = (again["conductance"][again["kind"] == kind] for kind in (2, 1))
    assert 1.4e-4 < np.median(after) < 1.8e-4
    assert np.median(before) < 4e-5
    picture = save_checks(found, "checks", tmp_path / "checks.png")
    assert picture.stat().st_size > 10_000
    other = check_runs([imported["cycles"]], SHIFTED, DRAWS)
    (mean,) = [one for one in other.checks if one.quantity.panel == "G after SET, mean"]
    assert mean.outside
