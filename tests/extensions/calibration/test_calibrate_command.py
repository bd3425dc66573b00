"""``mho calibrate``: what it refuses, what it says, and the preset file that it writes."""

from __future__ import annotations

import re
import shutil
import tomllib
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from command_line import Shell
from daily import daily

pytest.importorskip("mho.extensions.imports")  # which makes run files of the pulses

from benchmarks._hidden_presets import random_pulses
from mho import run
from mho.errors import BenchError
from mho.extensions.calibration import GatheredEvidence, transitions_of
from mho.extensions.calibration.calibrating import Calibration
from mho.instruments.simulated import CELL_PRESETS, cell_preset
from mho.procedures import Response

pytestmark = pytest.mark.timeout(300)  # on a machine that does much else


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path / "runs", monkeypatch, capsys)


@pytest.fixture(scope="session")
def pulses() -> dict[str, np.ndarray]:
    """Pulses on 12 cells of the preset `stanford`."""
    return random_pulses(
        CELL_PRESETS["stanford"], 12, 60, 3,
        gates=(2.0, 3.4), sets=(1.8, 3.0), resets=(1.2, 2.6), reset_gates=(3.0, 4.2),
    )  # fmt: skip


def imported(shell: Shell, folder: Path, columns: dict[str, np.ndarray], name: str = "chip") -> Path:
    """Return a run file of the pulses, made by `mho import` of a table."""
    names = ("time", "array", "row", "column", "kind", "voltage", "width", "gate", "conductance")
    table = folder / f"{name}.csv"
    rows = np.stack([columns[one] for one in names], axis=1)
    np.savetxt(table, rows, delimiter=",", header=",".join(names), comments="", fmt="%.9g")
    code, _, err = shell("import", table, "--output", folder / f"{name}.h5")
    assert code == 0, err
    return folder / f"{name}.h5"


@pytest.mark.thorough
def test_the_preset_file_is_taken_by_the_simulated_cells(
    shell: Shell, tmp_path: Path, pulses: dict[str, np.ndarray]
) -> None:
    run = imported(shell, tmp_path, pulses)
    picture = tmp_path / "checks.png"
    code, out, err = shell(
        "calibrate", run, "--to", tmp_path / "mychip.toml", "--figure", picture, "--checks", "40"
    )
    assert code == 0, err
    assert picture.read_bytes()[:4] == b"\x89PNG"
    assert "SETs and" in out
    assert re.search(r"parameter +value +95 % interval +from *\n", out)
    assert re.search(r"set_slope +[\d.]+ +[\d.]+ to [\d.]+ +SETs *\n", out)
    assert "retention_energy" in out  # what would tell it is said
    assert "the most helpful first" in out
    assert "G after SET, mean" in out
    assert "40 drawn chips show" in out
    written = tomllib.loads((tmp_path / "mychip.toml").read_text())
    known = written["posterior"]
    preset = cell_preset(str(tmp_path / "mychip.toml"))
    assert preset.law == "threshold"
    assert preset.set_slope == known["mean"][known["parameters"].index("set_slope")]
    low, mean, high = (np.array(known[key]) for key in ("interval_low", "mean", "interval_high"))
    assert ((low <= mean) & (mean <= high)).all()
    correlation = np.array(known["correlation"])
    np.testing.assert_allclose(correlation, correlation.T)
    assert correlation.shape == (len(mean), len(mean))
    assert known["runs"] == ["chip.h5"]
    assert written["checks"]["state"] in ("passed", "failed")
    assert f"{written['checks']['says']}; of a perfect twin" in out
    assert "retention_energy" in known["not_told"]
    assert "exists already" in refused(shell, "calibrate", run, "--to", tmp_path / "mychip.toml")


def test_too_little_is_refused_with_what_would_help(
    shell: Shell, tmp_path: Path, pulses: dict[str, np.ndarray]
) -> None:
    few = {name: values[pulses["row"] < 2] for name, values in pulses.items()}
    run = imported(shell, tmp_path, few)
    line = refused(shell, "calibrate", run, "--to", tmp_path / "mychip.toml")
    assert "too little" in line
    assert "on some 100 cells" in line
    assert not (tmp_path / "mychip.toml").exists()


def test_bad_files_and_targets_are_refused(shell: Shell, tmp_path: Path) -> None:
    table = tmp_path / "reads.csv"
    table.write_text("row,column,conductance\n0,0,1e-6\n")
    shell("import", table, "--output", tmp_path / "reads.h5")
    run = tmp_path / "reads.h5"
    assert "holds no pulses" in refused(shell, "calibrate", run, "--to", tmp_path / "mychip.toml")
    assert "cannot be written" in refused(shell, "calibrate", run, "--to", tmp_path / "no" / "mychip.toml")
    assert "ends with .toml" in refused(shell, "calibrate", run, "--to", tmp_path / "mychip.h5")
    assert "packaged preset" in refused(shell, "calibrate", run, "--to", tmp_path / "pku.toml")
    assert "no packaged preset" in refused(
        shell, "calibrate", run, "--to", tmp_path / "a.toml", "--base", "b"
    )
    (tmp_path / "old.toml").write_text("kept")
    assert "exists already" in refused(shell, "calibrate", run, "--to", tmp_path / "old.toml")
    assert (tmp_path / "old.toml").read_text() == "kept"


def test_what_cannot_be_done_is_said_before_the_work(
    shell: Shell, tmp_path: Path, pulses: dict[str, np.ndarray]
) -> None:
    run, to = imported(shell, tmp_path, pulses), tmp_path / "mychip.toml"
    given = ("calibrate", run, "--to", to)
    assert "40 to 9999" in refused(shell, *given, "--checks", "5")
    assert "need the checks" in refused(shell, *given, "--checks", "0", "--figure", tmp_path / "a.png")
    assert ".png, .svg or .pdf" in refused(shell, *given, "--figure", tmp_path / "a.gif")
    assert "cannot be written" in refused(shell, *given, "--figure", tmp_path / "no" / "a.png")
    assert "name it once" in refused(shell, *given, "--hold-out", run)
    line = refused(shell, *given, "--base", "stanford35")
    assert "name --base stanford" in line
    assert "uS" in line
    broken = tmp_path / "broken.h5"
    broken.write_bytes(run.read_bytes()[:3000])
    assert "broken.h5" in refused(shell, "calibrate", broken, "--to", to)
    assert "one.csv" in refused(shell, "calibrate", tmp_path / "one.csv", "--to", to)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["broken.h5", "chip.csv", "chip.h5"]


@pytest.mark.parametrize("as_held_out", daily([False, True], 1))
def test_rows_that_are_in_two_files_do_not_count_twice(
    as_held_out: bool, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run(
        Response(rows="0:2", columns="0:2", points=5, repeats=1),
        "stanford-arrays",
        seed=1,
        output=tmp_path / "a.h5",
    )
    shutil.copy(tmp_path / "a.h5", tmp_path / "b.h5")
    code, _, said = shell(
        "calibrate", "a.h5", *["--hold-out"][: int(as_held_out)], "b.h5", "--to", "chip.toml"
    )
    assert code == 2
    assert "b.h5 begins with the rows of a.h5" in said
    assert not (tmp_path / "chip.toml").exists()


def test_a_table_without_a_word_line_is_refused(
    shell: Shell, tmp_path: Path, pulses: dict[str, np.ndarray]
) -> None:
    names = ("time", "row", "column", "kind", "voltage", "width", "conductance")
    table, rows = tmp_path / "chip.csv", np.stack([pulses[one] for one in names], axis=1)
    np.savetxt(table, rows, delimiter=",", header=",".join(names), comments="", fmt="%.9g")
    shell("import", table, "--output", tmp_path / "chip.h5")
    line = refused(shell, "calibrate", tmp_path / "chip.h5", "--to", tmp_path / "mychip.toml")
    assert "no column gate" in line
    assert "word line" in line


@pytest.mark.thorough
def test_runs_of_two_chips_are_named(shell: Shell, tmp_path: Path, pulses: dict[str, np.ndarray]) -> None:
    first = imported(shell, tmp_path, pulses, "one")
    table = tmp_path / "one.csv"
    for name, chip in (("two", "reference"), ("three", "stanford")):
        code, _, err = shell("import", table, "--output", tmp_path / f"{name}.h5", "--chip", chip)
        assert code == 0, err
    runs = (first, tmp_path / "two.h5", tmp_path / "three.h5")
    line = refused(shell, "calibrate", *runs, "--to", tmp_path / "mychip.toml")
    assert "two.h5" in line
    assert "three.h5" in line
    assert "each chip by itself" in line


@pytest.mark.thorough
def test_simulated_chips_of_two_seeds_are_two_chips(shell: Shell, tmp_path: Path) -> None:
    runs = []
    for seed in ("1", "2"):
        runs.append(tmp_path / f"{seed}.h5")
        given = ("--bench", "stanford-arrays", "--rows", "0:2", "--columns", "0:2", "--seed", seed)
        code, _, err = shell("run", "form", *given, "--output", runs[-1])
        assert code == 0, err
    line = refused(shell, "calibrate", *runs, "--to", tmp_path / "mychip.toml")
    assert "simulated with seed 1" in line
    assert "simulated with seed 2" in line


def test_a_base_without_spreads_is_refused(
    shell: Shell, tmp_path: Path, pulses: dict[str, np.ndarray]
) -> None:
    run = imported(shell, tmp_path, pulses | {"conductance": 0.25 * pulses["conductance"]})  # in its range
    line = refused(shell, "calibrate", run, "--to", tmp_path / "mychip.toml", "--base", "ideal")
    assert "no spread from pulse to pulse" in line
    assert "--base pku" in line


@pytest.mark.thorough
def test_a_chip_of_the_gradual_law_is_calibrated(shell: Shell, tmp_path: Path) -> None:
    pulses = random_pulses(
        CELL_PRESETS["pku"], 12, 60, 3,
        gates=(1.0, 2.8), sets=(0.7, 2.2), resets=(0.8, 2.6), reset_gates=(1.8, 3.0),
    )  # fmt: skip
    run = imported(shell, tmp_path, pulses)
    code, out, err = shell(
        "calibrate", run, "--to", tmp_path / "mychip.toml", "--base", "pku", "--checks", "40"
    )
    assert code == 0, err
    assert "reset_slope" in out
    assert "gate_rise" not in out  # that law does not have it
    known = tomllib.loads((tmp_path / "mychip.toml").read_text())["posterior"]
    assert cell_preset(str(tmp_path / "mychip.toml")).law == "gradual"
    inside = [
        low <= getattr(CELL_PRESETS["pku"], name) <= high
        for name, low, high in zip(
            known["parameters"], known["interval_low"], known["interval_high"], strict=True
        )
    ]
    assert sum(inside) >= len(inside) - 3


def refused(shell: Shell, *words: object) -> str:
    """Return the one line with which a command is refused."""
    code, out, err = shell(*words)
    assert code == 2, (out, err)
    assert out == ""
    (line,) = err.splitlines()
    return line


@pytest.mark.parametrize(
    ("fault", "says", "code"),
    daily(
        [
            (KeyboardInterrupt(), "stopped before they were done", 130),
            (BenchError("the twin has no oven"), "the twin has no oven", 2),
            (None, "left out, --checks 0", 0),
        ],
        2,
    ),
)
def test_the_preset_is_written_after_its_checks_with_what_came_of_them(
    shell: Shell,
    tmp_path: Path,
    pulses: dict[str, np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
    fault: BaseException | None,
    says: str,
    code: int,
) -> None:
    run, to, ran = imported(shell, tmp_path, pulses), tmp_path / "mychip.toml", []

    def fitted(*_: object) -> tuple[Calibration, GatheredEvidence]:
        one, unit = np.ones(1), np.eye(1)
        data = transitions_of(pulses, asdict(CELL_PRESETS["stanford"]))
        found = Calibration(
            "stanford",
            ("maximum",),
            2e-4 * one,
            1.9e-4 * one,
            2.1e-4 * one,
            0.1 * one,
            unit,
            {},
            (),
            data,
            (),
        )
        assert found.values == {"maximum": 2e-4}
        return found, GatheredEvidence((), {}, ())

    def checked(*_: object, **__: object) -> None:
        assert not to.exists()
        ran.append(True)
        assert fault is not None
        raise fault

    monkeypatch.setattr("mho.extensions.calibration.command._fitted", fitted)
    monkeypatch.setattr("mho.extensions.calibration.command.print_calibration", lambda *_: None)
    monkeypatch.setattr("mho.extensions.calibration.check_runs", checked, raising=False)
    left, _, err = shell("calibrate", run, "--to", to, *(() if fault else ("--checks", "0")))
    assert (left, bool(ran)) == (code, fault is not None), err
    assert tomllib.loads(to.read_text())["checks"] == {"state": "none", "says": says}
    assert cell_preset(str(to)).warning == f"preset mychip was not checked on runs of its chip: {says}"
