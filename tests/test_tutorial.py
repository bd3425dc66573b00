"""The README and the tutorial as their reader follows them: files written, commands and scripts run, in order."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from command_line import Shell
from repository import ROOT

pytestmark = pytest.mark.thorough

README = (ROOT / "README.md").read_text("utf-8")
PAGE = (ROOT / "docs/tutorial.md").read_text("utf-8")
BLOCK = re.compile(r"(?:Write `(?P<name>[\w.]+)`:\n\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```", re.M | re.S)


def delete_simulation(path: Path) -> None:
    """What the reader is told to do with the bench file."""
    text, count = re.subn(r"\[simulation\]\n(.+\n)+", "", path.read_text("utf-8"))
    assert count == 1
    path.write_text(text, "utf-8")


def follow(command: str, shell: Shell) -> None:
    program, *arguments = shlex.split(command, comments=True)
    assert program == "mho", command
    *arguments, target = (*arguments[:-2], arguments[-1]) if ">" in arguments else (*arguments, "")
    code, out, err = shell(*arguments)
    assert code == 0 or (code == 1 and arguments == ["doctor"]), (command, out, err)  # it judges this machine
    assert "Traceback" not in err
    if target:
        Path(target).write_text(out, "utf-8")


def test_the_commands_of_the_readme_can_be_typed_in_their_order(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (block,) = (one["text"] for one in BLOCK.finditer(README) if one["text"].startswith("mho solve"))
    commands = block.splitlines()
    assert len(commands) > 10
    for command in commands:
        follow(command, shell)
    for made in ("first.png", "first.html", "bench.toml"):
        assert Path(made).exists()


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
