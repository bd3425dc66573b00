"""Completion: what a shell is offered, by the protocol with which it asks.

What shows in a process alone is asked of one; the words themselves are asked here, as a process takes a second to start.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from command_line import Shell

from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.simulated.physics.cells.presets import CELL_PRESETS
from mho.procedures.manifest import known_entries
from mho.running.queue import JobStatus

OWN = """
print("a module that says something when it is imported")
from mho.procedures import ListParameter, Read
class Twice(Read):
    colour = ListParameter("Colour", choices=["red", "green"], default="red")
"""


def ask(folder: Path, shell: str, **asked: str) -> subprocess.CompletedProcess[str]:
    environ = {"_MHO_COMPLETE": f"complete_{shell}", "MHO_RUNS": str(folder / "runs")} | asked
    return subprocess.run(
        [sys.executable, "-m", "mho"],
        cwd=folder, env=os.environ | environ, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


@pytest.fixture
def offered(tmp_path: Path):
    """Ask what may follow some words, the last of which is not complete yet; nothing else may be printed."""

    def offered(line: str) -> list[str]:
        words = line.split(" ")
        told = ask(tmp_path, "bash", COMP_WORDS=line, COMP_CWORD=str(len(words) - 1))
        assert told.stderr == ""
        assert not (tmp_path / "runs").exists()  # a queue is not made by looking
        return told.stdout.split()

    return offered


@pytest.fixture
def offered_here(tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch):
    """As `offered`, from this process."""

    def offered_here(line: str) -> list[str]:
        words = line.split(" ")
        with monkeypatch.context() as patch:
            patch.chdir(tmp_path)
            patch.setenv("_MHO_COMPLETE", "complete_bash")
            patch.setenv("COMP_WORDS", line)
            patch.setenv("COMP_CWORD", str(len(words) - 1))
            code, out, err = shell()
        assert (code, err) == (0, "")
        assert not shell.folder.exists()
        return out.split()

    return offered_here


@pytest.mark.thorough
def test_verbs_are_completed(offered) -> None:
    assert offered("mho r") == [
        "run",
        "resume",
        "rehearse",
        "runner",
        "rerun",
        "recover",
        "runs",
        "reach",
        "report",
    ]
    assert offered("mho queue p") == ["pause", "policy"]
    assert offered("mho bench ") == ["new", "check", "safe", "show", "serve"]


def test_options_are_completed_with_those_of_the_procedure_that_is_named(offered, offered_here) -> None:
    assert offered("mho run --b") == ["--bench"]
    assert set(offered_here("mho run read --r")) == {"--read-voltage", "--repeats", "--resume", "--rows"}
    assert offered_here("mho rehearse lab.toml read --b") == ["--bench", "--beyond"]
    assert offered_here("mho solve --b") == ["--bits", "--blocks", "--bench"]
    assert offered_here("mho queue add solve a.npy --bi") == ["--bits"]
    assert offered_here("mho run raed --be") == ["--bench"]  # what is wrong is said when it is run


def test_options_of_an_extension_are_completed(offered_here) -> None:
    pytest.importorskip("mho.extensions.characterise")
    assert offered_here("mho characterise --re") == ["--rehearse"]
    assert offered_here("mho characterise --c") == ["--cells", "--columns"]


def test_kinds_of_report_are_completed(offered_here) -> None:
    pytest.importorskip("mho.extensions.report_pages")
    assert offered_here("mho report run.h5 --kind c") == ["comparison", "campaign", "characterisation"]


def test_names_that_are_known_are_completed(offered, offered_here) -> None:
    assert set(offered("mho run ")) == set(known_entries())
    assert offered_here("mho rehearse lab.toml iv") == ["iv"]
    assert offered_here("mho solve --preset ") == list(CELL_PRESETS)
    assert offered_here("mho queue add read --preset p") == ["pku"]
    benches = offered_here("mho run read --bench ")
    assert "simulated" in benches
    assert offered_here("mho bench check ") == offered_here("mho runner --bench ") == benches
    for bench in benches:
        load_bench_file(bench)


def test_choices_are_completed(offered_here) -> None:
    assert offered_here("mho run solve a.npy --encoding ") == ["auto", "bias", "differential"]
    assert offered_here("mho queue list --status ") == [str(status) for status in JobStatus]
    assert offered_here("mho export run.h5 --to ") == [
        "csv",
        "mat",
        "netcdf",
        "folder",
        "eln",
        "chip-map",
        "spice",
    ]


@pytest.mark.thorough
def test_where_a_file_belongs_the_shell_completes_files(tmp_path) -> None:
    """Bash takes files where nothing is offered, as the script that installs completion says; zsh is told so."""
    for line in ("mho show ", "mho run read --after ", "mho solve ", "mho run read --bench ./la"):
        assert ask(tmp_path, "zsh", _TYPER_COMPLETE_ARGS=line).stdout == "_files\n"
    script = ask(tmp_path, "bash", _MHO_COMPLETE="source_bash").stdout
    assert "complete -o default" in script


@pytest.mark.thorough
def test_a_procedure_of_one_s_own_is_completed_and_does_not_speak(offered, tmp_path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    assert set(offered("mho run own:Twice --col")) == {"--colour", "--columns"}
    assert offered("mho run own:Twice --colour ") == ["red", "green"]
    (tmp_path / "broken.py").write_text("1 / 0")
    assert offered("mho run broken:Twice --be") == ["--bench"]


@pytest.mark.thorough
def test_a_job_that_waits_says_what_can_be_edited(tmp_path, shell) -> None:
    line = {"COMP_WORDS": "mho queue edit 1 --rea", "COMP_CWORD": "4"}
    assert ask(tmp_path, "bash", **line).stdout == "\n"  # there is no queue
    assert shell("queue", "add", "read")[0] == 0
    assert ask(tmp_path, "bash", **line).stdout == "--read-voltage\n"


def test_texts_of_one_s_own_are_shown_as_they_are(shell, tmp_path, monkeypatch) -> None:
    (tmp_path / "bracketed.py").write_text(
        'from mho.procedures import Parameter, Read\nclass Odd(Read):\n    """Read [bold]as it says[/]."""\n'
        '    height = Parameter("Height [um] [/]", default="[red]")\n'
    )
    monkeypatch.chdir(tmp_path)
    code, out, err = shell("run", "bracketed:Odd", "--help")
    assert (code, err) == (0, "")
    assert "Read [bold]as it says[/]." in out
    assert "Height [um] [/] (default [red])" in out


def test_help_shows_the_presets_there_are(shell) -> None:
    for words in (
        ("solve",),
        ("run",),
        ("run", "read"),
        ("rehearse",),
        *([(name,) for name in ("characterise", "optimise") if find_spec(f"mho.extensions.{name}")]),
        ("queue", "add"),
        ("queue", "edit"),
    ):
        assert ", ".join(CELL_PRESETS) in shell(*words, "--help")[1]
