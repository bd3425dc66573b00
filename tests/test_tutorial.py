"""The tutorial as its reader follows it: every file is written, every command and every script run, in order."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from command_line import Shell
from repository import ROOT

pytestmark = pytest.mark.thorough

PAGE = (ROOT / "docs/tutorial.md").read_text("utf-8")
BLOCK = re.compile(r"(?:Write `(?P<name>[\w.]+)`:\n\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```", re.M | re.S)


def delete_simulation(path: Path) -> None:
    """What the reader is told to do with the bench file."""
    text, count = re.subn(r"\[simulation\]\n(.+\n)+", "", path.read_text("utf-8"))
    assert count == 1
    path.write_text(text, "utf-8")


def follow(command: str, shell: Shell) -> None:
    words, _, target = command.partition(" > ")
    program, *arguments = shlex.split(words, comments=True)
    assert program == "mho", command
    code, out, err = shell(*arguments)
    assert code == 0, (command, out, err)
    assert "Traceback" not in err
    if target:
        Path(target).write_text(out, "utf-8")


def test_the_tutorial_can_be_followed(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    done = []
    for block in BLOCK.finditer(PAGE):
        name, language, text = block["name"], block["language"], block["text"]
        done.append(language)
        if name:
            Path(name).write_text(text, "utf-8")
        elif language == "python":
            exec(compile(text, "docs/tutorial.md", "exec"), {"__name__": "tutorial"})
        elif language == "sh":
            for command in text.splitlines():
                follow(command, shell)
                if "> lab.toml" in command:
                    delete_simulation(Path("lab.toml"))
        else:
            assert language == "text", f"a block of {language} that nobody follows"
    assert {"sh", "python", "toml", "csv"} <= set(done)
    for made in ("first.png", "drifting.h5", "mine.h5", "again.h5", "reads.h5"):
        assert Path(made).exists()
