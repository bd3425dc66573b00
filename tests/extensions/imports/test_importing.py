"""A foreign table of each kind becomes a run file like that of our own procedure, and all its figures are drawn."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from foreign_tables import TABLES

from mho import run
from mho.analysis import plot, summarise
from mho.errors import InputError
from mho.extensions.imports import MEASUREMENTS, TableReading, guess, import_reading
from mho.extensions.imports.extraction import import_measurement
from mho.procedures import IV, Endurance, Form, Noise, Procedure, Program, Read, Response, Retention
from mho.runs import RunFile

CELLS = {"rows": "0:1", "columns": "0:1"}


def imported(folder: Path, kind: str, text: str | None = None, **options: str) -> RunFile:
    folder.mkdir(exist_ok=True)
    source = folder / "t.csv"
    source.write_text(TABLES[kind]() if text is None else text, encoding="utf-8")
    best = guess(source, kinds=[kind]).best
    assert best.assignment is not None, best.reasons
    return RunFile(import_measurement(source, best.reading, folder / "run.h5", **options))


@pytest.mark.thorough
@pytest.mark.parametrize("kind", TABLES)
def test_every_declared_figure_of_an_imported_table_is_drawn(tmp_path: Path, kind: str):
    with imported(tmp_path, kind) as found:
        assert found.status == "finished"
        assert found.procedure == "Import"
        assert found.parameters["type"].value == kind
        assert found.figures
        assert summarise(found).bench.preset is None  # nothing that was simulated
    assert plot([tmp_path / "run.h5"], tmp_path / "all.png", "").stat().st_size > 5000


def own_procedures(folder: Path) -> dict[str, Procedure]:
    np.savetxt(folder / "digits.csv", [[3]], fmt="%d", delimiter=",")
    return {
        "iv": IV(**CELLS, highest=0.1), "endurance": Endurance(**CELLS, cycles=1),
        "retention": Retention(**CELLS, last=2.0, first=1.0),
        "form": Form(**CELLS), "response": Response(**CELLS), "noise": Noise(**CELLS, samples=64, series=1),
        "reads": Read(**CELLS), "program": Program(digits=folder / "digits.csv"),
        "switching": IV(**CELLS, highest=0.1),
    }  # fmt: skip


@pytest.mark.thorough
@pytest.mark.parametrize("kind", [kind for kind in TABLES if kind not in ("ber", "levels")])
def test_tables_columns_units_and_figures_are_those_of_our_own_runs(tmp_path: Path, kind: str):
    own = run(own_procedures(tmp_path)[kind], bench="arrays", seed=1, output=tmp_path / "own.h5").path
    more = {"temperature", "target", "pulse", "kind", "index"}  # what only a foreign table has in the rows
    with (
        imported(tmp_path, kind, chip="reference" if kind == "retention" else "") as found,
        RunFile(own) as ours,
    ):
        assert MEASUREMENTS[kind].table in ours.tables
        for table in found.tables:
            assert table in ours.tables
            assert {n: u for n, u in found.units(table).items() if n not in more}.items() <= ours.units(
                table
            ).items()
        assert {one.removeprefix("multiply_") for one in ours.maps} >= set(found.maps)
        figures = {one.name.removeprefix("multiply_") for one in ours.figures}
        assert {one.name for one in found.figures} <= figures | {"conductance"}


def test_loops_tell_set_and_reset_voltages(tmp_path: Path):
    with imported(tmp_path, "iv") as found:
        loops = found.table("loops")
        assert loops["v_set"] == pytest.approx([1.175, 1.175])
        assert loops["v_reset"] == pytest.approx([-0.975, -0.975])
        assert loops["window"] == pytest.approx([30.0, 30.0])
        assert loops["cycle"].tolist() == [0, 1]
        assert found.map("conductance")[0, 0] == pytest.approx(1e-6)
        assert found.summary["v_set"] == pytest.approx(1.175)


def test_a_window_that_closes_has_a_lifetime(tmp_path: Path):
    with imported(tmp_path, "endurance") as found:
        lives = found.table("lifetimes")
        assert (lives["good"].tolist(), lives["failed"].tolist()) == ([1000.0], [10_000.0])
        assert found.map("lifetime")[0, 0] == 1000.0
        assert found.table("endurance")["state"].tolist() == [0] * 6 + [1] * 6


def test_a_window_that_was_good_again_had_not_failed(tmp_path: Path):
    text = "cycle,LRS (uS),HRS (uS)\n1,200,10\n10,200,150\n100,200,10\n"
    with imported(tmp_path, "endurance", text) as found:
        assert math.isinf(found.table("lifetimes")["failed"][0])


def test_cells_form_where_their_conductance_jumps(tmp_path: Path):
    with imported(tmp_path, "form") as found:
        voltage = found.map("forming_voltage")
        assert voltage[:, 0] == pytest.approx([3.0, 3.2], abs=0.011)
        assert found.summary["formed"] == 2
        assert len(found.table("formed")["share"])


def noisy_loops(sweeps: int, step: float, *, cell: bool, seed: int = 1) -> str:
    """Loops 0, 1.5, -1.5, 0 V whose points scatter by 2 nA about 3 nA: of a cell that switches, or of none."""
    rng = np.random.default_rng(seed)
    levels = np.arange(0, round(1.5 / step) + 1) * step
    volts = np.concatenate([levels, levels[-2::-1], -levels[1:], -levels[-2::-1]])
    lines = ["sweep,V (V),I (A)"]
    for sweep in range(sweeps):
        high = False
        for v in volts.tolist():
            high = (high or v >= 1.2) and not v <= -1.0
            current = v * (2e-4 if high else 1e-5) if cell else 0.0
            lines.append(f"{sweep},{v:.3f},{current + 3e-9 + 2e-9 * rng.normal():.5e}")
    return "\n".join(lines)


@pytest.mark.thorough
@pytest.mark.parametrize(("sweeps", "step"), [(1, 0.05), (2, 0.1), (60, 0.05)])
def test_loops_of_nothing_give_no_number_and_those_of_a_cell_do(tmp_path: Path, sweeps: int, step: float):
    for seed in range(5):
        with imported(tmp_path / f"{seed}", "iv", noisy_loops(sweeps, step, cell=False, seed=seed)) as found:
            told = {"v_set", "v_reset", "lrs", "hrs", "window"}
            assert {name for name in told if found.summary.get(name) is not None} == set()
            assert found.summary["sweeps"] == sweeps
            assert "stand out of the table's own scatter" in found.summary["not_extracted"]["lrs"]
            assert np.isnan(found.table("loops")["peak_current"]).all()
    with imported(tmp_path, "iv", noisy_loops(sweeps, step, cell=True)) as found:
        assert found.summary["v_set"] == pytest.approx(1.2, abs=step)
        assert found.summary["hrs"] == pytest.approx(1e-5, rel=0.1)
        assert found.summary["window"] == pytest.approx(20.0, rel=0.1)


def test_a_table_that_shows_no_noise_says_so(tmp_path: Path):
    rows = "".join(
        f"0,{v},{i}\n" for v, i in [(0.3, 1e-9), (0.6, 2e-9), (0.9, 1e-5), (0.6, 7e-6), (0.3, 3e-6)]
    )
    with imported(tmp_path, "iv", "sweep,V (V),I (A)\n" + rows) as found:
        assert any("its noise is not known" in one.message for one in found.log())


def ramps(cells: int, formed: int) -> str:
    """Ramps from 2 V to 4 V at cells whose reads scatter by 10 nS, of which some are formed at 3 V."""
    rng = np.random.default_rng(3)
    lines = ["Device,Vbl (V),G (S)"]
    for cell in range(cells):
        for v in np.arange(2.0, 4.01, 0.1):
            value = 1e-4 if cell < formed and v > 2.99 else 1e-9
            lines.append(f"{cell},{v:.2f},{value + 1e-8 * rng.normal():.4e}")
            if value == 1e-4:
                break
    return "\n".join(lines)


@pytest.mark.thorough
@pytest.mark.parametrize(("cells", "formed"), [(1, 0), (40, 0), (40, 10), (40, 38)])
def test_noise_forms_no_cell(tmp_path: Path, cells: int, formed: int):
    with imported(tmp_path, "form", ramps(cells, formed)) as found:
        assert (found.summary["cells"], found.summary["formed"]) == (cells, formed)


def test_what_was_never_good_has_no_lifetime(tmp_path: Path):
    rng = np.random.default_rng(4)
    rows = "".join(
        f"{cell},{count},{abs(10 * rng.normal()):.4f},{abs(10 * rng.normal()):.4f}\n"
        for cell in range(8)
        for count in (1, 10, 100)
    )
    with imported(tmp_path, "endurance", "cell,cycle,LRS (nS),HRS (nS)\n" + rows) as found:
        assert found.summary["weibull_scale"] is None
        assert (found.summary["cells"], found.summary["failed"], found.summary["never_good"]) == (8, 0, 8)


@pytest.mark.thorough
def test_noise_has_a_spectrum(tmp_path: Path):
    with imported(tmp_path, "noise") as found:
        cells = found.table("noise")
        assert cells["mean"] == pytest.approx([1e-5], rel=1e-3)
        assert cells["deviation"][0] / cells["mean"][0] == pytest.approx(0.01, rel=0.1)
        assert found.table("spectra")["frequency"].max() <= 250.0 + 1e-9
        assert found.summary["interval"] == pytest.approx(2e-3)


def test_retention_keeps_an_image_a_read_and_the_drift_by_level(tmp_path: Path):
    with imported(tmp_path, "retention", chip="reference") as found:
        assert summarise(found).contents["maps/conductance"] == 11
        assert set(found.table("retention")["level"].tolist()) == {7}
        assert found.table("reads")["repeat"].tolist()[:3] == [0, 1, 2]


@pytest.mark.thorough
def test_pulses_are_counted_and_go_into_a_calibration(tmp_path: Path):
    pulses_of = pytest.importorskip("mho.extensions.calibration.pulse_records").pulses_of
    with imported(tmp_path, "program") as found:
        assert found.map("pulses").tolist() == [[2.0, 2.0]]
        assert found.map("target")[0] == pytest.approx([2.5e-5, 5e-5])
        taken = pulses_of(found)
    before = import_reading(tmp_path / "t.csv", TableReading("reads"), tmp_path / "before.h5")
    with RunFile(before) as earlier:
        same = pulses_of(earlier)
    assert taken is not None
    assert same is not None
    for name, values in same.items():
        np.testing.assert_allclose(taken[name], values, rtol=1e-6)


def test_a_response_without_times_is_refused_by_a_calibration(tmp_path: Path):
    pulses_of = pytest.importorskip("mho.extensions.calibration.pulse_records").pulses_of
    with imported(tmp_path, "response") as found, pytest.raises(InputError, match="has no column time"):
        pulses_of(found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "cycle,LRS (ohm),HRS (ohm)\n1.5,1,2\n2,1,2\n",
            "line 2: '1.5' in column 'cycle' is no number of a cycle, from 0",
        ),
        (
            "cycle,state,G\n1,LRS,1e-4\n1,maybe,1e-5\n",
            "line 3: 'maybe' in column 'state' is no state; say LRS or HRS",
        ),
        ("cycle,G\n1,1e-4\n2,1e-5\n", "no column for state"),
        ("cycle,LRS (ohm),HRS (ohm)\n1,nan,2\n2,,3\n", "column 'LRS (ohm)' has no number in any of 2 lines"),
        ("cycle,LRS (ohm),HRS (ohm)\n1,5000\n2,5000,1e5\n", "line 2: 2 values where the header has 3"),
        (
            "cycle,LRS (ohm),HRS (ohm)\n1,five,1e5\n2,5000,1e5\n",
            "line 2: 'five' in column 'LRS (ohm)' is no number",
        ),
    ],
)
def test_impossible_values_are_named_by_their_lines(tmp_path: Path, text: str, said: str):
    source = tmp_path / "t.csv"
    source.write_text(text)
    with pytest.raises(InputError) as caught:
        import_measurement(source, TableReading("endurance"), tmp_path / "run.h5")
    assert said in str(caught.value)
    assert not (tmp_path / "run.h5").exists()


@pytest.mark.thorough
def test_blocks_of_any_length_give_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    tables = []
    for lines in (10_000, 7):
        monkeypatch.setattr("mho.extensions.imports.table_import.BLOCK_LINES", lines)
        folder = tmp_path / str(lines)
        folder.mkdir()
        with imported(folder, "iv") as found:
            tables.append(found.table("sweeps"))
    for name, values in tables[0].items():
        np.testing.assert_array_equal(values, tables[1][name])


def test_cells_that_have_names_are_numbered(tmp_path: Path):
    text = "device,time (s),G (uS)\n" + "".join(
        f"{name},{t},{g}\n" for t in (1, 10, 1000) for name, g in (("A3", 5), ("B1", 9))
    )
    with imported(tmp_path, "retention", text) as found:
        assert found.table("reads")["row"].tolist() == [0, 1] * 3
        assert "cell 'B1' is row 1" in [entry.message for entry in found.log()]


def test_pulses_of_which_no_line_has_all_values_have_no_curve(tmp_path: Path):
    with imported(tmp_path, "response", "Vg (V),G (uS)\n1.0,\n,2\n1.2,\n") as found:
        assert found.summary["levels"] == 0
        assert found.length("curve") == 0
