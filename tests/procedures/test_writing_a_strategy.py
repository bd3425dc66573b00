"""docs/writing-a-strategy.md as its reader follows it: the file is written, every command and script run, in order."""

from __future__ import annotations

import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from command_line import Shell
from repository import ROOT

from mho.runs import RunFile, Status

PAGE = (ROOT / "docs/writing-a-strategy.md").read_text("utf-8")
BLOCK = re.compile(r"(?:Write `(?P<name>[\w.]+)`:\n\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```", re.M | re.S)
MOST_LINES = 20


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    np.save("digits.npy", np.random.default_rng(1).integers(0, 8, (8, 8)))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def test_the_strategy_takes_at_most_twenty_lines():
    whole = next(block["text"] for block in BLOCK.finditer(PAGE) if block["name"])
    assert len(whole.splitlines()) <= MOST_LINES


@pytest.mark.thorough
def test_the_page_can_be_followed(shell: Shell, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    followed = []
    for block in BLOCK.finditer(PAGE):
        name, language, text = block["name"], block["language"], block["text"]
        followed.append(language)
        if name:
            Path(name).write_text(text, "utf-8")
        elif language == "python":
            monkeypatch.syspath_prepend(str(folder))
            exec(compile(text, "docs/writing-a-strategy.md", "exec"), {"__name__": "script"})
        elif language == "toml":
            tomllib.loads(text)
        else:
            for command in text.splitlines():
                program, *words = shlex.split(command)
                code, _, said = shell(*words)
                assert (program, code) == ("mho", 0), said
    assert followed == ["python", "sh", "sh", "python", "toml"]
    with RunFile("bisection.h5") as run:
        assert run.status is Status.FINISHED
        assert run.summary["cells_failed"] == 0
        assert run.summary["pulses"] < 15 * 64
