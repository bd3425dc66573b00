"""`mho forecast`: a matrix in, sentences or JSON out; `--score` on folders; what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import run_samples
from daily import daily

FEW_CELLS = ("--residual", "float64")  # the chip inverts: a solve takes a third of the time


@pytest.fixture
def matrix(tmp_path: Path) -> Path:
    path = tmp_path / "A.npy"
    np.save(path, np.array([[2.0, 0.4], [-0.3, 1.5]]))
    return path


@pytest.mark.thorough
def test_a_person_gets_the_plan_the_intervals_and_the_assumptions(shell, matrix):
    code, out, err = shell(
        "forecast", matrix, "--bench", "arrays", "--seed", 3, "--draws", 19, "--rhs", "random"
    )
    assert code == 0
    for text in (
        "forecast of A.npy (2 x 2 as a real one",
        "taken",
        "rho, contraction a cycle",
        "time on the bench's clock",
        "energy",
        "converges to 24 bits with a probability of 0.95 (0.85 to 1.00): on 19 of 19 drawn chips",
        "mW an amplifier",
    ):
        assert text in out, text
    assert "Traceback" not in err
    assert not shell.folder.exists()  # nothing is written


@pytest.mark.thorough
def test_of_a_matrix_by_blocks_a_person_gets_what_is_known_without_one_loop(shell, matrix):
    code, out, _ = shell(
        "forecast", matrix, "--bench", "arrays", "--seed", 3, "--draws", 19, "--leaf", 1, "--blocks", "jacobi"
    )
    assert code == 0
    for text in ("proved bits", "cells to program", "on 19 of 19 drawn chips"):
        assert text in out, text
    for text in ("taken", "rho", "stability"):
        assert text not in out, text


def test_of_right_hand_sides_of_zeros_no_cell_and_no_loop_is_forecast(shell, matrix, tmp_path):
    np.save(tmp_path / "zeros.npy", np.zeros(len(np.load(matrix))))
    words = ("--rhs", tmp_path / "zeros.npy", "--bench", "arrays", "--seed", 3, "--draws", 19)
    code, out, _ = shell("forecast", matrix, *words)
    assert code == 0
    (cells,) = (line for line in out.splitlines() if line.startswith("cells to program"))
    assert cells.split()[-1] == "0"
    assert "stability" not in out
    assert "inf" not in out.split()


@pytest.mark.thorough
def test_levels_that_the_cells_do_not_hold_are_said(shell, matrix):
    words = (
        "forecast",
        matrix,
        "--bench",
        "arrays",
        "--seed",
        3,
        "--draws",
        19,
        *FEW_CELLS,
        "--no-alternatives",
    )
    assert "do not hold the levels" not in shell(*words)[1]
    code, out, _ = shell(*words, "--preset", "stanford")
    assert code == 0
    assert "cells of preset stanford do not hold the levels of this chip map: 56% of them" in " ".join(
        out.split()
    )
    assert (
        "cannot be RESET to 5"
        in json.loads(shell(*words, "--preset", "stanford", "--json")[1])["unfit_cells"]
    )


@pytest.mark.thorough
def test_a_machine_gets_json(shell, matrix):
    words = ("forecast", matrix, "--bench", "arrays", "--seed", 3, "--draws", 19, *FEW_CELLS, "--json")
    code, out, err = shell(*words)
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["forecast"]["draws"] == 19
    assert told["forecast"]["pulses"]["low"] <= told["forecast"]["pulses"]["high"]
    assert told["plan"]["why_not"] == ""
    again = json.loads(shell(*words)[1])
    for one in (told, again):
        del one["wall_seconds"]
    assert again == told


@pytest.mark.thorough
def test_a_solve_keeps_a_forecast_and_the_folder_is_scored(shell, matrix, tmp_path):
    for seed in (1, 2):
        assert shell("solve", matrix, "--bench", "arrays", "--seed", seed, "--draws", 19, *FEW_CELLS)[0] == 0
    assert shell("solve", matrix, "--bench", "arrays", "--seed", 3)[0] == 0
    (shell.folder / "damaged.h5").write_bytes(b"nothing")
    code, out, _ = shell("forecast", "--score")
    assert code == 0
    assert "2 runs in" in out
    assert "1 runs hold no forecast" in out
    assert "left out:" in out
    assert "too few runs" in out
    assert "not met" not in "".join(line for line in out.splitlines() if "time on this machine" not in line)
    assert "pulses" in out
    told = json.loads(shell("forecast", "--score", shell.folder, "--json")[1])
    assert (told["runs"], told["without_forecast"], len(told["unreadable"])) == (2, 1, 1)
    assert {told["coverage"][name]["runs"] for name in ("pulses", "joules", "solve_seconds")} == {2}


def test_a_folder_without_forecasts_says_how_to_get_some(shell, tmp_path):
    run_samples.whole_run(tmp_path / "runs" / "one.h5")
    code, out, _ = shell("forecast", "--score", tmp_path / "runs")
    assert code == 0
    assert "holds a forecast that can be scored; `mho solve MATRIX --draws 39` records one" in out


@pytest.mark.parametrize(
    ("words", "said"),
    daily(
        [
            ((), "mho forecast needs a matrix; `mho forecast --help` says more"),
            (("nowhere.npy",), "nowhere.npy does not exist; give the path of the matrix"),
            (("A.npy", "--draws", 5), "draws is 5; give a whole number from 19"),
            (("A.npy", "--bench", "nowhere.toml"), "cannot read bench 'nowhere.toml'"),
            (("A.npy", "--preset", "golden"), "unknown cell preset 'golden'"),
            (("A.npy", "--bits", "many"), "bits is 'many'"),
            (("A.npy", "--bist", "9"), "no such option: --bist; did you mean '--bits'?"),
            (("--score", "nowhere"), "nowhere does not exist; give run files or folders that hold some"),
            (
                ("--score", ".", "--bits", "9"),
                "--score has no use for --bits: it takes a folder of run files alone",
            ),
        ],
        4,
    ),
)
def test_what_cannot_be_is_refused_in_one_line(shell, matrix, monkeypatch, words, said):
    monkeypatch.chdir(matrix.parent)
    assert said in shell.refused("forecast", *words)


def test_help_has_the_parameters_of_a_solve_and_one_option_for_the_draws(shell):
    code, out, _ = shell("forecast", "--help")
    assert code == 0
    for text in ("--residual", "--max-cycles", "--score", "--no-alternatives"):
        assert text in out
    assert out.count("--draws") == 1
