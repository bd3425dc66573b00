"""`mho` in the tests' own process: what it prints, how it exits, and that a refusal leaves nothing behind."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import pytest
import typer

from mho.cli.experiments.procedure_command import ProcedureCommand, typed_parameters
from mho.cli.main import main
from mho.procedures import Procedure
from mho.procedures.catalogue import make_procedure

get_command = cache(typer.main.get_command)  # what typer makes of all verbs, once instead of at each call


class Shell:
    """Runs `mho` in this process, with run files in a folder of its own."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.folder, self._monkeypatch, self._capsys = folder, monkeypatch, capsys
        monkeypatch.setenv("MHO_RUNS", str(folder))
        monkeypatch.setenv("COLUMNS", "400")
        monkeypatch.setattr(typer.main, "get_command", get_command)

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        self._monkeypatch.setattr(sys, "argv", ["mho", *map(str, arguments)])
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main(supervised=False)
        out, err = self._capsys.readouterr()
        return int(left.value.code or 0), out, err

    def refused(self, *arguments: object) -> str:
        """Run what must be refused: exit code 2, one line, no traceback, no run file; returns the line."""
        code, out, err = self(*arguments)
        assert code == 2, (out, err)
        assert out == ""
        (line,) = err.splitlines()
        assert line.startswith("mho: ")
        assert "Traceback" not in line
        assert not self.folder.exists() or not any(self.folder.iterdir())
        return line.removeprefix("mho: ")


def made_of_words(name: str, words: list[str], seed: int | None = None) -> Procedure:
    """Return the procedure that a verb makes of what is typed for it."""
    made: list[Procedure] = []
    app = typer.Typer(add_completion=False)

    @app.command(cls=ProcedureCommand)
    def verb(context: typer.Context, procedure: str) -> None:
        made.append(make_procedure(procedure, typed_parameters(context, seed)))

    app([name, *words], prog_name="mho verb", standalone_mode=False)
    return made[0]
