"""`mho runs` as a user meets it: lists, searches, tags, notes, links, and what it says to a mistake."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import run_samples
from command_line import Shell
from daily import daily

import mho.runs as runs
from mho.runs.index.index import RunIndex


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("library")
    run_samples.whole_run(folder / "solved.h5")
    run_samples.failed_run(folder / "broken.h5")
    run_samples.other_run(folder / "sweep.h5")
    (folder / "foreign.h5").write_text("no HDF5")
    return folder


@pytest.fixture
def shell(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    shutil.copytree(library, tmp_path / "runs")
    return Shell(tmp_path / "runs", monkeypatch, capsys)


def names(out: str) -> list[str]:
    return [line.split()[0].removesuffix(".h5") for line in out.splitlines()[1:]]


def refusal(shell: Shell, *arguments: str) -> str:
    code, out, err = shell(*arguments)
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    return line


def test_all_runs_are_listed_newest_first_and_what_is_no_run_last(shell: Shell):
    code, out, err = shell("runs")
    assert (code, err) == (0, "")
    assert names(out) == ["sweep", "broken", "solved", "foreign"]
    assert "Solve [bold]4x4[/bold]" in out
    assert "not an HDF5 file" in out


def test_runs_are_searched_sorted_and_counted(shell: Shell):
    assert names(shell("runs", "--where", "bits>=24 and status=finished")[1]) == ["solved"]
    assert names(shell("runs", "--where", "procedure=solve", "--sort", "path")[1]) == ["broken", "solved"]
    _, out, _ = shell("runs", "--limit", "1")
    assert out.splitlines()[-1] == "1 of 4 runs; --limit 0 shows all"
    assert shell("runs", "--where", "bits>99")[1] == "no runs\n"


def test_a_list_shows_what_it_is_sorted_by(shell: Shell):
    header, *lines = shell("runs", "--sort", "-parameter.bits")[1].splitlines()
    assert header.split()[:5] == ["run", "started", "took", "status", "bits"]
    assert "24" in lines[0]
    assert "bits" not in shell("runs")[1].splitlines()[0]


def test_columns_are_chosen_with_their_units(shell: Shell):
    header, *lines = shell("runs", "--columns", "procedure, bits,seed", "--sort", "path")[1].splitlines()
    assert header.split() == ["run", "status", "procedure", "bits", "(bit)", "seed"]
    assert [line.split()[:3] for line in lines[:2]] == [["broken.h5", "failed", "Solve"],
                                                        ["foreign.h5", "unreadable"]]  # fmt: skip
    told = json.loads(shell("runs", "--columns", "bits,procedure", "--sort", "path", "--json")[1])
    assert told[0] == {
        "path": "broken.h5",
        "status": "failed",
        "units": {"parameter.bits": "bit"},
        "parameter.bits": told[0]["parameter.bits"],
        "procedure": "Solve",
    }
    assert told[1]["parameter.bits"] is None


def test_json_has_everything_that_is_known(shell: Shell):
    shell("runs", "note", "solved", "Ω")
    (told,) = json.loads(shell("runs", "--json", "--where", "converged")[1])
    assert told["parameters"]["bits"] == 24
    assert told["results"]["converged"] is True
    assert told["status"] == "finished"
    assert told["notes"][0]["text"] == "Ω"
    assert len(json.loads(shell("runs", "--json")[1])) == 4


def test_tags_and_notes_are_kept_beside_the_file(shell: Shell):
    before = (shell.folder / "solved.h5").read_bytes()
    assert shell("runs", "tag", "solved", "good", "fig-3")[:2] == (0, "fig-3 good\n")
    assert shell("runs", "note", "solved", "the warm chip") == (0, "", "")
    assert shell("runs", "tag", "solved", "fig-3", "--remove")[1] == "good\n"
    assert names(shell("runs", "--where", "tag=good and 'warm'", "--rebuild")[1]) == ["solved"]
    assert "the warm chip" in shell("runs", "about", "solved")[1]
    assert (shell.folder / "solved.h5").read_bytes() == before


def test_about_a_run_names_its_relations(shell: Shell):
    _, out, _ = shell("runs", "about", str(shell.folder / "solved.h5"))
    assert [line.split()[:3] for line in out.splitlines()[1:]] == [["same", "chip", "broken.h5"]]
    told = json.loads(shell("runs", "about", "solved", "--json")[1])
    assert told["links"]["same_chip"] == ["broken.h5"]


def test_another_folder_can_be_named_before_or_after_the_verb(shell: Shell, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("MHO_RUNS")
    folder = str(shell.folder)
    for words in (("--runs", folder, "about", "solved"), ("about", "solved", "--runs", folder)):
        assert shell("runs", *words)[1].startswith("solved.h5")


@pytest.mark.parametrize(
    ("words", "said"),
    daily(
        [
            (("--where", "bitz>=24"), "did you mean 'bits'?"),
            (("--where", "bits>="), "bits>=▲"),
            (("--sort", "statuss"), "did you mean 'status'?"),
            (("--columns", "preset,bitz"), "did you mean 'bits'?"),
            (("--columns", "note"), "a list of runs has no column note"),
            (("about", "solvd"), "did you mean solved?"),
            (("tag", "foreign", "good"), "foreign.h5 cannot be read as a run"),
            (("tag", "solved", "two words"), "one word"),
            (("tag", "solved", "bad", "--remove"), "has no tag 'bad'"),
            (("note", "solved", " "), "the note is empty"),
            (("--runs", "nowhere"), "there is no folder of runs nowhere"),
        ],
        5,
    ),
)
def test_a_mistake_is_answered_in_one_line(shell: Shell, words: tuple[str, ...], said: str):
    assert said in refusal(shell, "runs", *words)


@pytest.mark.thorough
def test_a_rebuild_that_is_killed_leaves_an_index_that_goes_on(shell: Shell):
    for number in range(600):
        os.link(shell.folder / "sweep.h5", shell.folder / f"sweep-{number}.h5")
    shell("runs", "tag", "solved", "good")
    code = (
        "import sys; from mho.cli.main import main; sys.argv = ['mho', 'runs', '--rebuild', '--json']; main()"
    )
    environment = os.environ | {
        "MHO_RUNS": str(shell.folder),
        "PYTHONPATH": str(Path(runs.__file__).parents[2]),
    }
    child = subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.DEVNULL)
    with RunIndex(shell.folder) as index:
        deadline = time.monotonic() + 60
        # Stale files are marked before the first batch of them is written.
        while child.poll() is None and time.monotonic() < deadline:
            (stale,) = index._store.execute("SELECT count(*) FROM runs WHERE mtime = -1").fetchone()
            if 0 < stale < 600:
                break
            time.sleep(0.002)
        child.kill()
        child.wait()
        assert index.count() == 604
        index.update()
        assert index.count("procedure=Sweep") == 601
        assert [run.path.name for run in index.search("tag=good")] == ["solved.h5"]


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_a_list_has_one_line_a_run_at_any_width(shell: Shell, monkeypatch: pytest.MonkeyPatch, width: int):
    run_samples.whole_run(shell.folder / "a" / "run-below-a-folder-with-a-long-name-of-its-own.h5")
    monkeypatch.setenv("COLUMNS", str(width))
    heading, *lines = shell("runs")[1].splitlines()
    assert len(lines) == 5
    assert all(len(line) <= width for line in (heading, *lines))
    assert heading.split()[0] == "run"
    assert ("tags" in heading) == (width >= 120)
    heading, *lines = shell("runs", "--columns", "procedure,title,bits,seed")[1].splitlines()
    assert len(lines) == 5
    assert heading.split()[:2] == ["run", "status"]


def test_a_list_in_a_pipe_is_whole(library: Path):
    environ = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    told = subprocess.run(
        [sys.executable, "-m", "mho", "runs", "--runs", str(library)],
        env=environ, capture_output=True, text=True, encoding="utf-8", check=True,
    )  # fmt: skip
    heading, *lines = told.stdout.splitlines()
    assert len(lines) == 4
    assert heading.split() == ["run", "started", "took", "status", "title", "conclusion", "tags"]
    assert "…" not in told.stdout
