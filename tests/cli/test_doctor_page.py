"""`mho doctor`: one page, as a table on a terminal, plain in a pipe, and as JSON."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Shell
from rich.text import Text

from mho.cli import doctor
from mho.cli.terminal.terminal import Terminal
from mho.doctor import Finding
from mho.doctor.examination import CHECKS, OF_WINDOWS

FINDINGS = (
    Finding("USB", "ok", "05e6:2450 [a]"),
    Finding("USB", "wrong", "may not\nbe opened", "write a rule"),
    Finding("sleep", "note", "\x1b[31mit sleeps"),
)


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    monkeypatch.setattr(doctor, "examine", lambda machine, full: FINDINGS)
    return Shell(tmp_path, monkeypatch, capsys)


def test_the_plain_page_has_a_line_a_finding_and_says_what_is_left_out(shell: Shell) -> None:
    code, out, _ = shell("doctor")
    lines = out.splitlines()
    assert code == 1
    assert lines[0].startswith("mho doctor, mho ")
    assert lines[2:7] == [
        "ok     USB              05e6:2450 [a]",
        "wrong                   may not\\nbe opened",
        "                        -> write a rule",
        "note   sleep            \\x1b[31mit sleeps",
        "",
    ]
    assert lines[7] == "1 wrong, 1 to note"
    assert lines[8].startswith("Left out of this page: serial numbers")
    assert "--full" in shell("doctor", "--full")[1].splitlines()[8]
    assert len(lines) == 9


def test_the_table_on_a_terminal_says_the_same() -> None:
    out = io.StringIO()
    doctor.print_page(FINDINGS, False, Terminal(file=out, width=120, force_terminal=True, _environ={}))
    text = Text.from_ansi(out.getvalue()).plain
    assert all(words in text for words in ("05e6:2450 [a]", "write a rule", "1 wrong, 1 to note", "Left out"))
    assert "\x1b[31mit" not in out.getvalue()


def test_json_has_the_same_findings(shell: Shell) -> None:
    code, out, _ = shell("doctor", "--json")
    told = json.loads(out)
    assert code == 1
    assert set(told) == {"mho", "time", "full", "findings"}
    assert told["full"] is False
    assert told["findings"][1] == {
        "topic": "USB", "verdict": "wrong", "found": "may not\nbe opened", "advice": "write a rule",
    }  # fmt: skip


def test_it_ends_with_0_when_nothing_is_wrong(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "examine", lambda machine, full: FINDINGS[:1])
    code, out, _ = shell("doctor")
    assert code == 0
    assert "all is well" in out


def test_this_machine_is_looked_at_without_a_trace(tmp_path: Path) -> None:
    """The whole command, with real libraries; a process of its own, as users start it."""
    environ = os.environ | {"MHO_RUNS": str(tmp_path / "runs")}
    done = subprocess.run(
        [sys.executable, "-m", "mho", "doctor", "--json"], env=environ, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    told = json.loads(done.stdout)["findings"]
    elsewhere = OF_WINDOWS if sys.platform != "win32" else frozenset()
    assert set(CHECKS) - {one["topic"] for one in told} - {"VISA library"} == elsewhere
    assert all(one["verdict"] in ("ok", "note", "wrong") and one["found"] for one in told)
    assert done.returncode == any(one["verdict"] == "wrong" for one in told)
    assert not [one for one in told if "could not be found out" in one["found"]]
    assert str(Path.home()) not in done.stdout or Path.home() == Path("/")
    assert list(tmp_path.iterdir()) == []
