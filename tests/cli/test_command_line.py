"""The command line: one JSON object, one line for what is wrong, and nothing half-written."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from importlib import resources
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import typer
from daily import daily
from repository import ROOT

from mho.cli import options
from mho.cli.main import app
from mho.runs import RunFile, Status

ZUO = str(ROOT / "mho/chip_maps/matrices/zuo2025-4x4.mtx")
RHS = str(ROOT / "mho/chip_maps/matrices/zuo2025-4x4-rhs.mtx")
BENCH = (resources.files("mho.instruments") / "benches/simulated.toml").read_text("utf-8")
KEYS = {
    "converged", "bits", "encoding", "forecast_rho", "solution", "relative_error", "cycles", "mvm_outputs",
    "bits_asked", "reason", "certificate", "mvm_wrong", "cells", "pulses", "virtual_seconds", "wall_seconds", "run_file",
}  # fmt: skip


def save(folder: Path, matrix: object, name: str = "a.npy") -> Path:
    path = folder / name
    if path.suffix == ".npy":
        np.save(path, np.asarray(matrix))
    else:
        path.write_text(str(matrix), encoding="utf-8")
    return path


def bench(folder: Path, old: str, new: str) -> Path:
    assert old in BENCH
    path = folder / "my-bench.toml"
    path.write_text(BENCH.replace(old, new, 1), encoding="utf-8")
    return path


# --- a solve ---


def test_json_is_one_object_with_the_documented_keys(shell):
    code, out, err = shell("solve", ZUO, "--rhs", RHS, "--bits", 12, "--seed", 3, "--json")
    assert (code, err) == (0, "")
    assert len(out.splitlines()) == 1
    summary = json.loads(out)
    assert set(summary) >= KEYS
    assert summary["converged"] is True
    assert summary["bits_asked"] == 12 <= summary["bits"] == -np.log2(summary["certificate"]["error_bound"])
    assert 0.0 < summary["forecast_rho"] < 1.0
    assert [cycle["cycle"] for cycle in summary["cycles"]] == list(range(1, len(summary["cycles"]) + 1))
    assert set(summary["cycles"][0]) >= {"cycle", "residual", "relative_error", "bits"}
    assert summary["relative_error"] == summary["cycles"][-1]["relative_error"] < 2.0**-12
    assert summary["mvm_wrong"] == 0
    assert summary["mvm_outputs"] > 100
    assert 50 < summary["cells"] < summary["pulses"]
    assert len(summary["solution"]) == 4
    path = Path(summary["run_file"])
    assert path.parent == shell.folder
    with RunFile(path) as file:
        assert file.status is Status.FINISHED
        assert file.summary == {name: one for name, one in summary.items() if name != "conclusion"}
        np.testing.assert_array_equal(file.array("solution"), summary["solution"])


@pytest.mark.thorough
def test_the_same_seed_gives_the_same_result(shell):
    def result(seed: int) -> dict[str, object]:
        summary = json.loads(shell("solve", ZUO, "--bits", 12, "--seed", seed, "--json")[1])
        return {key: summary[key] for key in KEYS - {"wall_seconds", "run_file"}}

    first = result(5)
    assert result(5) == first != result(6)


def test_people_get_a_summary_and_the_path(shell):
    code, out, err = shell("solve", ZUO, "--rhs", "ones", "--bits", 12, "--seed", 1, "--preset", "ideal")
    assert code == 0
    (path,) = shell.folder.glob("*.h5")
    assert out.startswith("finished: converged, ")
    assert out.splitlines()[1].startswith("converged in ")
    assert out.rstrip().endswith(str(path))
    for words in ("forecast", "relative error", "programming", str(path)):
        assert words in err
    assert "Traceback" not in err


@pytest.mark.thorough
def test_a_solve_that_does_not_get_there_exits_with_3_and_says_why(shell):
    code, out, err = shell("solve", ZUO, "--bits", 24, "--max-cycles", 1, "--seed", 1, "--json")
    summary = json.loads(out)
    assert code == 3
    assert err.startswith("not converged: all cycles allowed (1) are used up")
    assert summary["converged"] is False
    assert 0.0 < summary["bits"] < 24.0
    assert "all cycles allowed (1) are used up" in summary["reason"]
    assert len(summary["cycles"]) == 1
    with RunFile(summary["run_file"]) as file:
        assert file.status is Status.FINISHED
    code, out, _ = shell("solve", ZUO, "--bits", 24, "--max-cycles", 1, "--seed", 1)
    assert code == 3
    assert out.startswith("finished: not converged, ")
    assert out.splitlines()[1].startswith("NOT converged in 1 cycle: all cycles allowed (1) are used up")
    code, *_ = shell("run", "solve", ZUO, "--max-cycles", 1, "--seed", 1)
    assert code == 3


@pytest.mark.thorough
def test_a_tolerance_of_one_s_own(shell):
    _, out, _ = shell("solve", ZUO, "--bits", 24, "--tolerance", 1e-2, "--seed", 1, "--json")
    summary = json.loads(out)
    assert summary["converged"]
    assert (summary["bits_asked"], summary["tolerance"]) == (None, 1e-2)
    assert summary["cycles"][-1]["residual"] <= 1e-2
    assert all(cycle["residual"] > 1e-2 for cycle in summary["cycles"][:-1])


@pytest.mark.thorough
def test_with_a_tolerance_nobody_speaks_of_bits_that_were_asked_for(shell):
    given = ("solve", ZUO, "--bench", "arrays", "--seed", 1)
    _, out, _ = shell(*given, "--tolerance", 1e-2)
    assert re.search(
        r"converged in \d cycles: residual .*, 0.01 was asked for; .* bits are proved, error", out
    )
    assert " were asked for" not in out
    code, out, _ = shell(*given, "--tolerance", 1e-18)
    assert code == 3
    assert re.search(
        r"the residual is .*e-1\d, the tolerance 1e-18; a solution in float64 holds no smaller", out
    )


@pytest.mark.thorough
@pytest.mark.parametrize("encoding", ["bias", "differential"])
def test_the_encoding_asked_for_is_used(shell, encoding):
    matrix = ROOT / "mho/chip_maps/matrices/dominant-8x8.mtx"
    _, out, _ = shell("solve", matrix, "--bits", 3, "--encoding", encoding, "--seed", 1, "--json")
    assert json.loads(out)["encoding"].startswith(encoding)


# --- where the run file goes ---


@pytest.mark.thorough
def test_output_may_be_a_file_or_a_folder(shell, tmp_path):
    for output in (tmp_path / "here.h5", tmp_path / "deep" / "down"):
        _, out, _ = shell("solve", ZUO, "--bits", 3, "--output", output, "--json")
        path = Path(json.loads(out)["run_file"])
        assert path == output or path.parent == output
        assert path.exists()
    assert not shell.folder.exists()


@pytest.mark.thorough
def test_without_output_and_environment_runs_land_in_data_runs(shell, tmp_path, monkeypatch):
    monkeypatch.delenv("MHO_RUNS")
    monkeypatch.chdir(tmp_path)
    _, out, _ = shell("solve", ZUO, "--bits", 3, "--json")
    assert Path(json.loads(out)["run_file"]).parent == Path("data/runs")
    assert len(list((tmp_path / "data/runs").glob("*-solve.h5"))) == 1


def test_an_output_file_that_exists_is_never_touched(shell, tmp_path):
    path = tmp_path / "mine.h5"
    path.write_bytes(b"precious")
    line = shell.refused("solve", ZUO, "--output", path)
    assert line == f"run file {path} exists already and is never overwritten; choose another output"
    assert path.read_bytes() == b"precious"


def test_an_output_that_cannot_be_a_folder_is_refused(shell, tmp_path):
    (tmp_path / "file").write_text("x")
    assert "is a file and no folder" in shell.refused("solve", ZUO, "--output", tmp_path / "file")


# --- what is refused ---


@pytest.mark.parametrize(
    "words",
    [("solve", "PIPE"), ("solve", ZUO, "--rhs", "PIPE"), ("solve", ZUO, "--bench", "PIPE"), ("run", "PIPE")],
)
def test_a_pipe_in_place_of_a_file_is_refused_and_not_waited_for(shell, tmp_path, words):
    pipe = tmp_path / ("a.mtx" if words[-2:] != ("--bench", "PIPE") and words[0] == "solve" else "a.toml")
    os.mkfifo(pipe)
    told = shell.refused(*(str(pipe) if word == "PIPE" else word for word in words))
    assert "a pipe, a device or a socket, no file" in told


@pytest.mark.parametrize(
    ("matrix", "answer"),
    daily([
        (np.ones((2, 3)), "2 rows and 3 columns, fewer equations than unknowns"),
        ([[1.0, np.nan], [0.0, 1.0]], "entry [0, 1], counted from 0, is nan"),
        ([[1.0, 0.0], [-np.inf, 1.0]], "entry [1, 0], counted from 0, is -inf"),
        (np.zeros((0, 0)), "is empty"),
        (np.ones((3, 3)), "singular in float64"),
        ([[1.0, 1.0], [1.0, 1.0 + 2.0**-43]], "12 bits cannot be had with a condition number of 3."),
        (np.zeros((2, 2)), "nothing but zeros"),
        (np.eye(2) * 1e-300, "scale the system to between"),
        (np.outer([1.0, 2.0, 4.0], [1.0, 1.0, 1.0]) + np.diag([1.0, 0.0, 0.0]), "depend on others (counted from 0): "),
        (np.eye(33), "33 x 33 (as a real one) and takes 2 loops of up to 17 x 17; the inverting arrays of chip"),
        (np.eye(17) * 1j + np.eye(17), "34 x 34 (as a real one)"),
    ], 4),
)  # fmt: skip
def test_a_matrix_that_cannot_be_solved_is_refused(shell, tmp_path, matrix, answer):
    assert answer in shell.refused("solve", save(tmp_path, matrix), "--bits", 12)


@pytest.mark.parametrize("seed", daily(range(8), 1))
@pytest.mark.parametrize("bits", daily([6, 12, 24], [12]))
def test_a_rank_deficient_matrix_is_singular_at_any_precision(shell, tmp_path, seed, bits):
    rng = np.random.default_rng(seed)
    n = 2 + seed
    half = rng.standard_normal((n, n - 1))
    matrix = half @ rng.standard_normal((n - 1, n)) + 0.0
    assert "the matrix is singular in float64" in shell.refused(
        "solve", save(tmp_path, matrix), "--bits", bits
    )


def test_a_missing_or_unknown_file_is_named(shell, tmp_path):
    assert "nowhere.mtx does not exist" in shell.refused("solve", tmp_path / "nowhere.mtx")
    assert "unknown suffix '.txt'" in shell.refused("solve", save(tmp_path, "1 2", "a.txt"))
    assert "is empty" in shell.refused("solve", save(tmp_path, "", "a.csv"))


@pytest.mark.parametrize(
    ("rhs", "answer"),
    [
        (np.ones(3), "3 values but the matrix has 4 rows"),
        (np.array([1, 2, 3, np.inf]), "is inf"),
        (np.ones(4) * 1j, "complex but the matrix is real"),
    ],
)
def test_a_right_hand_side_that_does_not_fit_is_refused(shell, tmp_path, rhs, answer):
    assert answer in shell.refused("solve", ZUO, "--rhs", save(tmp_path, rhs))


def test_a_right_hand_side_of_zeros_is_answered_with_zeros_and_nothing_is_programmed(shell, tmp_path):
    code, out, _ = shell("solve", ZUO, "--rhs", save(tmp_path, np.zeros(4)), "--json")
    answer = json.loads(out)
    assert code == 0
    assert answer["solution"] == [0.0] * 4
    assert (answer["converged"], answer["bits"], answer["pulses"], answer["reads"]) == (True, 53.0, 0, 0)
    assert answer["forecast_rho"] is None


@pytest.mark.thorough
def test_several_right_hand_sides_are_told_as_such(shell, tmp_path):
    code, out, err = shell("solve", ZUO, "--count", 3, "--bench", "arrays")
    assert code == 0
    assert "cycles for 3 right-hand sides" in out
    assert "right-hand side 2" in err


def test_a_count_beside_right_hand_sides_that_are_given_is_refused(shell):
    assert "count is 3, which is of random right-hand sides" in shell.refused(
        "solve", ZUO, "--rhs", "ones", "--count", 3
    )


@pytest.mark.parametrize(
    ("option", "value", "answer"),
    daily(
        [
            ("--preset", "kpu", "unknown cell preset 'kpu'; there are ideal, quiet, pku, relaxing"),
            ("--bench", "nosuch", "cannot read bench 'nosuch'"),
            ("--rhs", "nowhere.npy", "nowhere.npy does not exist"),
            ("--encoding", "magic", "encoding is 'magic'; it must be one of auto, bias, differential"),
            ("--bits", 99, "bits is 99; it must be a whole number from 3 to 50"),
            ("--bits", 0, "bits is 0; it must be"),
            ("--tolerance", 2.0, "tolerance is 2.0; it must be a number from 0 to 1"),
            ("--max-cycles", 0, "max_cycles is 0; it must be"),
            ("--seed", -1, "seed is -1; it must be"),
        ],
        4,
    ),
)
def test_an_option_that_cannot_be_is_refused(shell, option, value, answer):
    assert answer in shell.refused("solve", ZUO, option, value)


def test_a_typo_in_a_bench_file_is_answered_with_key_and_line(shell, tmp_path):
    path = bench(tmp_path, "nplc = ", "nlpc = ")
    line = BENCH[: BENCH.index("nplc = ")].count("\n") + 1
    assert shell.refused("solve", ZUO, "--bench", path) == (
        f"bench file {path}: read.nlpc (line {line}): unknown key; did you mean 'nplc'?"
    )


@pytest.mark.parametrize(
    ("old", "new", "answer"),
    [
        ("voltage = 4.6 ", "voltage = 4.0 ", "bit line: voltage of 4.5 V exceeds the limit of 4 V"),
        ("voltage = 3.3\n", "voltage = 2.0\n", "source line: voltage of 3 V exceeds the limit of 2 V"),
        ("voltage = 4.0\n", "voltage = 2.55\n", "word line: voltage of 2.6 V exceeds the limit of 2.55 V"),
        ("pulse_width = 10e-6  ", "pulse_width = 500e-9  ", "bit line: pulse width of 1e-06 s"),
        (
            "current = 1e-3  ",
            "current = 1e-5  ",
            "bit line: current of 0.0001 A exceeds the limit of 1e-05 A",
        ),
        ("voltage = 1.0  ", "voltage = 0.1  ", "vector: voltage of 0.2 V exceeds the limit of 0.1 V"),
    ],
)
def test_limits_that_the_run_would_exceed_are_refused_before_it(shell, tmp_path, old, new, answer):
    assert answer in shell.refused("solve", ZUO, "--bench", bench(tmp_path, old, new))


def test_a_matrix_larger_than_the_published_chip_says_what_fits(shell, tmp_path):
    path = bench(tmp_path, 'chip = "reference"', 'chip = "zuo2025"')
    line = shell.refused("solve", ROOT / "mho/chip_maps/matrices/mimo-16x16.mtx", "--bench", path)
    assert "16 x 16" in line
    assert "takes 2 loops of up to 8 x 8" in line


# --- other verbs ---


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from mho import run
    from mho.procedures import Solve

    folder = tmp_path_factory.mktemp("finished")
    return run(Solve(matrix=ZUO, rhs=RHS, bits=12), seed=1, output=folder / "run.h5").path


def test_show_prints_what_a_run_file_holds(shell, finished):
    code, out, err = shell("show", finished)
    assert (code, err) == (0, "")
    for words in ("zuo2025-4x4.mtx", "12 bit", "finished", "cycle"):
        assert words in out


@pytest.mark.thorough
@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_plot_draws_a_figure(shell, finished, tmp_path, suffix):
    target = tmp_path / f"figure{suffix}"
    code, out, err = shell("plot", finished, "--output", target)
    assert (code, err) == (0, "")
    assert out.strip() == str(target)
    assert target.stat().st_size > 10_000


@pytest.mark.thorough
def test_plot_draws_beside_the_run_by_default(shell, finished):
    _, out, _ = shell("plot", finished)
    assert Path(out.strip()).parent == finished.parent


@pytest.mark.thorough
def test_plot_draws_one_figure_and_several_runs(shell, finished, tmp_path):
    target = tmp_path / "both.pdf"
    code, out, err = shell("plot", finished, finished, "--figure", "convergence", "--output", target)
    assert (code, out.strip(), err) == (0, str(target), "")
    assert target.read_bytes().startswith(b"%PDF")
    told = shell.refused("plot", finished, "--figure", "conv")
    assert "has no figure 'conv'; it has convergence, bits_by_cycle, levels, errors, wrong_by_cycle" in told


def test_show_lists_the_figures(shell, finished):
    code, out, err = shell("show", finished, "--figures")
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines() if line[:1].isalpha()] == [
        "name", "convergence", "bits_by_cycle", "levels", "errors", "wrong_by_cycle", "pulses_per_cell",
        "level_shares", "confusion", "inside", "pulses_by_level", "error_correlation",
    ]  # fmt: skip
    assert "residual, relative_error over cycle of table cycles, log y" in " ".join(out.split())


@pytest.mark.parametrize("verb", ["show", "plot"])
def test_what_is_no_run_file_is_refused(shell, tmp_path, verb):
    assert "nowhere.h5" in shell.refused(verb, tmp_path / "nowhere.h5")
    (tmp_path / "text.h5").write_text("not HDF5")
    assert "text.h5" in shell.refused(verb, tmp_path / "text.h5")


# --- before a verb, and instead of one ---


def test_without_a_verb_the_verbs_are_shown_in_groups(shell):
    code, out, err = shell("--help")
    assert (code, err) == (0, "")
    bare = shell()
    assert (bare[0], bare[1].strip(), bare[2]) == (2, out.strip(), "")
    assert [group for group in ("Experiments", "Many runs", "Run files", "Benches") if group in out] == [
        "Experiments", "Many runs", "Run files", "Benches",
    ]  # fmt: skip
    assert "Commands" not in out  # where a verb without a group would stand


def test_the_version_is_that_of_the_distribution(shell):
    assert shell("--version") == (0, f"mho {version('mho')}\n", "")


@pytest.mark.parametrize(
    "words",
    daily(["", "solve", "run", "rehearse", "bench", "bench check", "queue add", "runs"], ["", "queue add"]),
)
def test_help_is_asked_for_with_either_option(shell, words):
    code, out, err = shell(*words.split(), "--help")
    assert (code, err) == (0, "")
    assert f"Usage: {' '.join(('mho', *words.split()))}" in out
    assert shell(*words.split(), "-h") == (code, out, err)


@pytest.mark.parametrize("words", [("run", "read"), ("rehearse", "lab.toml", "read")])
def test_help_behind_a_procedure_is_about_its_arguments(shell, words):
    code, out, err = shell(*words, "--help")
    assert (code, err) == (0, "")
    assert "--read-voltage" in out
    assert "--seed" in out  # the verb's own are there as well


def test_help_behind_a_plan_runs_nothing(shell):
    code, out, _ = shell("run", "nowhere.toml", "--help")
    assert code == 0
    assert "Usage: mho run" in out


@pytest.mark.parametrize(
    ("words", "answer"),
    daily([
        (("solv", "a.npy"), "no such command 'solv'; did you mean 'solve'?"),
        (("bench", "chek"), "no such command 'chek'; did you mean 'check'?"),
        (("queue", "lst"), "no such command 'lst'; did you mean 'list'?"),
        (("runs", "--wher", "x"), "no such option: --wher; did you mean '--where'?"),
        (("solve", "a.npy", "--bit", 3), "no such option: --bit; did you mean '--bits'?"),
        (("solve",), "missing argument 'matrix'; `mho solve --help` says more"),
        (("solve", "a.npy", "--bits", "many"), "bits is 'many'; give a number"),
        (("solve", "a.npy", "--bits"), "option '--bits' requires an argument"),
        (("run",), "mho run needs a procedure; `mho procedures` lists them, `mho run --help` says more"),
        (("rehearse", "lab.toml"), "mho rehearse needs a procedure; "),
        (("run", "raed"), "there is no procedure 'raed'; did you mean 'read'?"),
        (("run", "read", "--repeat", 3), "no such option: --repeat; did you mean '--repeats'?"),
        (("run", "read", "--benhc", "x"), "no such option: --benhc; did you mean '--bench'?"),
    ], 6),
)  # fmt: skip
def test_a_typing_error_is_answered_in_one_line(shell, words, answer):
    assert shell.refused(*words).startswith(answer)


@pytest.mark.thorough
def test_a_procedure_of_one_s_own_is_found_in_the_current_folder(shell, tmp_path, monkeypatch):
    (tmp_path / "own_read.py").write_text("from mho.procedures import Read\nclass Twice(Read):\n    pass\n")
    monkeypatch.chdir(tmp_path)
    code, out, _ = shell("run", "own_read:Twice", "--rows", "0:2", "--columns", "0:2", "--json")
    assert code == 0
    assert json.loads(out)["cells"] == 4
    monkeypatch.delitem(sys.modules, "own_read")
    run_file = json.loads(out)["run_file"]
    code, _, err = shell("rerun", run_file)
    assert (code, "own_read:Twice" in err) == (2, True)  # nobody has agreed to run it
    assert shell("rerun", run_file, "--trust")[0] == 0
    monkeypatch.chdir(ROOT)  # a folder that the file names is not looked into
    monkeypatch.delitem(sys.modules, "own_read")
    code, _, err = shell("rerun", run_file, "--trust")
    assert (code, "own_read" in err) == (2, True)


def test_a_bench_file_is_printed_to_begin_with(shell):
    assert shell("bench", "show")[:2] == (0, BENCH)
    assert "cannot read bench 'nosuch'" in shell.refused("bench", "show", "nosuch")


# --- as a process ---


def start(*arguments: object, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "mho", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"MHO_RUNS": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def pulses_in(folder: Path) -> int:
    """Return how many pulses the run file in a folder has so far; none before there is one."""
    for path in folder.glob("*.h5"):
        with RunFile(path) as file:
            return file.length("pulses")
    return 0


@pytest.mark.thorough
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_solve_with_a_safe_bench_and_a_whole_file(tmp_path, number):
    child = start("solve", "mimo-16x16", "--bits", 48, "--seed", 1, "--json", folder=tmp_path)
    deadline = time.monotonic() + 60
    while pulses_in(tmp_path) <= 10:
        assert time.monotonic() < deadline
        assert child.poll() is None
        time.sleep(0.02)
    child.send_signal(number)
    out, err = child.communicate(timeout=30)
    assert (child.returncode, out, err) == (130, "", f"mho: {number.name} received\n")
    (path,) = tmp_path.glob("*.h5")
    with RunFile(path) as file:
        assert (file.status, file.reason) == (Status.ABORTED, f"{number.name} received")
        assert len(file.table("pulses")["row"]) > 10
        assert file.settings_after["board"]["mode"] == "SAFE"
        assert file.settings_after["pulser"]["ch1_output_enabled"] == "False"


@pytest.mark.thorough
def test_the_console_script_refuses_in_one_line(tmp_path):
    child = start("solve", tmp_path / "nowhere.mtx", folder=tmp_path / "runs")
    out, err = child.communicate(timeout=60)
    assert (child.returncode, out) == (2, "")
    assert err == f"mho: {tmp_path / 'nowhere.mtx'} does not exist; give the path of the matrix.\n"
    assert not (tmp_path / "runs").exists()


@pytest.mark.thorough
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is full, as Linux has it")
def test_an_output_that_takes_nothing_is_told_in_one_line(finished):
    with open("/dev/full", "w") as full:
        told = subprocess.run(
            [sys.executable, "-m", "mho", "show", str(finished)],
            cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60,
        )  # fmt: skip
    assert (told.returncode, told.stderr) == (2, "mho: the output: No space left on device\n")


RUN = {"--bench", "--preset", "--seed", "--output"}
VERBS = {  # that make runs, or work out what runs would give, and which of the options are theirs
    "run": RUN, "solve": RUN, "queue add": RUN, "queue edit": RUN, "rehearse": RUN,
    "forecast": RUN - {"--output"},
    "budget": {"--preset", "--seed"}, "campaign": {"--output"}, "resume": {"--output"}, "rerun": {"--output"},
    **{name: RUN for name in ("characterise", "optimise", "published") if find_spec(f"mho.extensions.{name}")},
    **({"calibrate": {"--seed", "--output"}} if find_spec("mho.extensions.calibration") else {}),
}  # fmt: skip
HELPS = {
    "--bench": {"a packaged bench or a bench file", "another bench", "a bench file, as the first word, too"},
    "--preset": {options.SIMULATED_CELLS},
    "--output": {
        "run file (.h5) or folder, default data/runs", "run file (.h5) or folder; nothing is kept unless given",
        "folder, default one of its own in data/runs", "settings file (.toml) to write", "the preset file to write (.toml)",
    },
}  # fmt: skip


@pytest.mark.parametrize("verb", VERBS)
def test_bench_preset_and_output_are_the_same_options_of_every_verb_that_runs(verb):
    command = typer.main.get_command(app)
    for word in verb.split():
        command = command.get_command(typer.Context(command), word)
        command = getattr(command, "verb", command)  # which is imported when it is typed
    shown = {name: one for one in command.params if not getattr(one, "hidden", False) for name in one.opts}
    assert shown.keys() & RUN == VERBS[verb]
    for name, helps in HELPS.items():
        if name in shown:
            assert shown[name].help in helps


@pytest.mark.thorough
def test_a_rehearsed_bench_is_its_first_word_or_an_option(shell):
    """The options of the other verbs fit here, too."""
    read = ("read", "--rows", "0:2", "--columns", "0:2")
    told = {
        shell("rehearse", *words, "--seed", 1)[1].partition("\n")[0]
        for words in (
            ("simulated", *read), (*read, "--bench", "simulated"),
            ("--bench=simulated", *read), ("--bench", "simulated", *read),
        )
    }  # fmt: skip
    assert len(told) == 1
    assert "rehearsed on the twins of bench 'simulated'" in told.pop()
    twice = shell.refused("rehearse", *read, "--bench", "simulated", "--bench", "heated")
    assert "the bench is named twice, 'simulated' and 'heated'" in twice


@pytest.mark.thorough
def test_what_the_bench_warns_of_is_in_the_file_and_not_printed_twice(tmp_path):
    text = (resources.files("mho.instruments") / "benches/arrays.toml").read_text("utf-8")
    weak = text.replace("[simulation]", "[simulation]\namplifier_current = 6e-6")
    (tmp_path / "weak.toml").write_text(weak, "utf-8")
    process = start(
        "solve", ZUO, "--bits", 6, "--seed", 1, "--bench", tmp_path / "weak.toml", folder=tmp_path
    )
    err = process.communicate(timeout=120)[1]
    (path,) = tmp_path.glob("*.h5")
    with RunFile(path) as file:
        said = [entry.message for entry in file.log() if entry.level == "WARNING"]
    assert any(one.startswith("INV on invert_positive: the amplifier of row") for one in said)
    assert "WARNING: INV on" not in err


@pytest.mark.thorough
def test_a_run_whose_outputs_are_closed_is_carried_out(tmp_path):
    run = "run", "read", "--rows", "0", "--columns", "0", "--bench", "arrays", "--output", tmp_path / "run.h5"
    closed = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-m", "mho", *map(str, run)]
    assert subprocess.run(closed, cwd=ROOT, timeout=60).returncode == 0
    with RunFile(tmp_path / "run.h5") as file:
        assert file.status == "finished"


@pytest.mark.parametrize(
    ("encoding", "text"),
    [("cp1252", "µS ×² Ohm -> ?"), ("ascii", "uS x^2 Ohm -> ?"), ("utf-8", "µS ×² Ω → 電")],
)
def test_what_an_output_cannot_have_is_written_plainly(encoding: str, text: str) -> None:
    program = (
        "import sys, mho.cli.main as m; m.app = lambda **_: print('µS ×² Ω → 電'); m.main(supervised=False)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=os.environ | {"PYTHONIOENCODING": encoding}, capture_output=True,
        check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.decode(encoding).strip() == text
