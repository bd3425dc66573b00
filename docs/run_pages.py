"""Runs the code blocks of the pages as a reader would, each page from an empty folder: ``python docs/run_pages.py``.

The blocks of a page run in their order, in one folder, at the defaults: commands (`sh`, `bash`, `console`) in bash,
`python` in one interpreter for the page, as in a notebook. A block below *Write `name`:* is a file, and is written. Other
`toml` is read for its syntax; text, drawings and messages are not code. A command that the page shows to be refused may be
refused.

A block that cannot be run where the pages are checked has a comment above it that says why::

    <!-- not run: needs two real source meters -->

It is left out, and so is PowerShell. Pages named are run, else all; the table says of each page how many blocks ran, failed
and were left out, and why.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import linecache
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(
    r"(?:<!-- not run: (?P<reason>[^>]+?) -->\n+)?"
    r"(?:(?P<before>[^\n]*)\n\n)?"
    r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$",
    re.M | re.S,
)
WRITTEN = re.compile(r"Write `(?P<name>[\w./-]+)`:$")
SHELL, PYTHON = ("sh", "bash", "console"), ("python", "py")
PROGRAMS = ("mho ", "python ", "pip ", "pytest ", "sphinx-build ")
LEFT_OUT = {"powershell": "PowerShell"}
LONGEST = 1500
"""Characters of what a block prints that are shown where it fails."""
SECONDS = 300.0
"""What a block may take, s: on a busy machine of two cores, on which a solve at the wire takes a minute."""


@dataclass(frozen=True)
class Block:
    """A piece of code of a page.

    Attributes
    ----------
    line : int
        Where it begins in the page, from 1.
    kind : str
        ``file``, ``shell``, ``python``, ``syntax``.
    name : str
        The file that it is, or its language.
    reason : str
        Why it is not run; empty for one that is.
    refused : tuple of str
        The commands of it that the page shows to be refused.
    """

    line: int
    kind: str
    name: str
    text: str
    reason: str = ""
    refused: tuple[str, ...] = ()


@dataclass
class Outcome:
    """What came of a page: blocks that ran, those that failed with what they printed, those left out with the reason."""

    page: str
    run: int = 0
    failed: list[tuple[Block, str]] = field(default_factory=list)
    left_out: list[Block] = field(default_factory=list)
    seconds: float = 0.0


def blocks(page: str) -> Iterator[Block]:
    """Yield the code of a page in the order of reading."""
    for found in BLOCK.finditer(page):
        line = page.count("\n", 0, found.start("indent")) + 1
        language, indent = found["language"], found["indent"]
        text = re.sub(rf"^{indent}", "", found["text"], flags=re.M)
        written = WRITTEN.search(found["before"] or "")
        reason = found["reason"] or LEFT_OUT.get(language, "")
        if written:
            yield Block(line, "file", written["name"], text, reason)
        elif language in SHELL or (language == "" and text.startswith(PROGRAMS)):
            commands, refused = typed(text) if language == "console" else (text, ())
            yield Block(line, "shell", language, commands, reason, refused)
        elif language in PYTHON:
            yield Block(line, "python", language, text, reason)
        elif language == "toml":
            yield Block(line, "syntax", language, text, reason)
        elif reason:
            yield Block(line, "shell", language, text, reason)


def typed(console: str) -> tuple[str, tuple[str, ...]]:
    """Return the commands of a console, and which of them are shown to be refused."""
    steps = [(one[1], one[2]) for one in re.finditer(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", console, re.M)]
    refused = tuple(command for command, shown in steps if re.search(r"^mho: ", shown, re.M))
    return "".join(f"{command}\n" for command, _ in steps), refused


class Reader:
    """Carries out a page's blocks in a folder: files written, commands in bash, Python in one interpreter."""

    def __init__(self, folder: Path, home: Path, seconds: float) -> None:
        self._folder, self._home, self._seconds = folder, home, seconds
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MHO_", "PYTHON"))}
        settings = {"NO_COLOR": "1", "TERM": "dumb", "QT_QPA_PLATFORM": "offscreen", "MPLBACKEND": "agg"}
        path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
        homes = {"HOME": str(home), "XDG_CONFIG_HOME": str(home / "config"), "PATH": path}
        self._environment = kept | settings | homes
        self._python: subprocess.Popen[bytes] | None = None
        self._told = 0

    def follow(self, block: Block) -> str:
        """Carry out a block, and return what went wrong; empty where nothing did."""
        if block.kind == "shell":
            return self._typed(block)
        if block.kind == "python":
            return self._interpreted(block)
        if block.kind == "file":
            path = self._folder / block.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, "utf-8")
            return ""
        try:
            tomllib.loads(block.text)
        except tomllib.TOMLDecodeError as error:
            return f"no TOML: {error}"
        return ""

    def close(self) -> None:
        """End the interpreter, and whatever it has started."""
        if self._python is not None:
            end(self._python)
            self._python = None

    def _typed(self, block: Block) -> str:
        for command in commands(block.text):
            log = self._home / "shell.txt"
            shell = self._started(["bash", "-c", command], log)
            try:
                code = shell.wait(self._seconds)
            except subprocess.TimeoutExpired:
                end(shell)
                return f"{command}\ntook more than {self._seconds:.0f} s"
            said = log.read_text("utf-8", errors="replace")
            judges = code == 1 and command.split()[:2] == ["mho", "doctor"]  # it tells of the machine
            right = code == 0 or judges or command in block.refused
            if not right or "Traceback (most recent call last)" in said:
                return f"{command}\nexit code {code}\n{said[-LONGEST:]}"
        return ""

    def _interpreted(self, block: Block) -> str:
        log = self._home / "python.txt"
        if self._python is None:
            self._python = self._started([sys.executable, __file__, "--interpret", str(self._home)], log)
        self._told += 1
        question, answer = (self._home / f"{self._told}.{ending}" for ending in ("question", "answer"))
        write_whole(question, json.dumps({"text": block.text, "line": block.line}))
        until = time.monotonic() + self._seconds
        while not answer.exists():
            if self._python.poll() is not None:
                self._python = None
                return f"the interpreter ended\n{log.read_text('utf-8', errors='replace')[-LONGEST:]}"
            if time.monotonic() > until:
                self.close()
                return f"took more than {self._seconds:.0f} s"
            time.sleep(0.05)
        return answer.read_text("utf-8")

    def _started(self, words: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
        with log.open("wb") as output:
            return subprocess.Popen(
                words, cwd=self._folder, env=self._environment, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip


def commands(text: str) -> list[str]:
    """Return the commands of a block; one that leans on the line before it is one with it."""
    if re.search(r"<<|^(cd|export|source) |&$", text, re.M):
        return [f"set -e\n{text}"]
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process, and those it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def write_whole(path: Path, text: str) -> None:
    """Write a file that nobody sees half written."""
    draft = path.with_suffix(".draft")
    draft.write_text(text, "utf-8")
    draft.replace(path)


def interpret(folder: Path) -> None:
    """Run what is asked for in a folder, block after block in one namespace, as a notebook does, and answer there."""
    sys.path[0] = ""
    names = {"__name__": "__main__"}
    for number in range(1, 1000):
        question = folder / f"{number}.question"
        while not question.exists():
            time.sleep(0.02)
        asked = json.loads(question.read_text("utf-8"))
        label, error = f"<block at line {asked['line']}>", ""
        linecache.cache[label] = (len(asked["text"]), None, asked["text"].splitlines(True), label)
        try:
            exec(compile(asked["text"], label, "exec"), names)
        except BaseException:  # a reader sees all of them
            error = traceback.format_exc()[-LONGEST:]
        write_whole(folder / f"{number}.answer", error)


def follow(page: Path, seconds: float = SECONDS) -> Outcome:
    """Carry out a page in an empty folder, and return what came of it."""
    outcome, start = Outcome(page.resolve().relative_to(ROOT).as_posix()), time.monotonic()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as home:
        reader = Reader(Path(folder), Path(home), seconds)
        for block in blocks(page.read_text("utf-8")):
            if block.reason:
                outcome.left_out.append(block)
                continue
            outcome.run += 1
            if error := reader.follow(block):
                outcome.failed.append((block, error))
        reader.close()
    outcome.seconds = time.monotonic() - start
    return outcome


def row(outcome: Outcome) -> str:
    """Return the line of a page in the table."""
    reasons = "; ".join(dict.fromkeys(block.reason for block in outcome.left_out))
    numbers = f"{outcome.run:4} {len(outcome.failed):7} {len(outcome.left_out):9} {outcome.seconds:6.0f} s"
    return f"{outcome.page:40} {numbers}  {reasons}".rstrip()


def main() -> None:
    """Run the pages that are named, or all, and print the table; exit code 1 where a block fails."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pages", nargs="*", type=Path)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="what a block may take")
    parser.add_argument("--interpret", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.interpret:
        interpret(asked.interpret)
        return
    print(f"{'page':40}  run  failed  left out    time  why")
    outcomes = []
    for page in asked.pages or PAGES:
        if not any(blocks(page.read_text("utf-8"))):
            continue
        outcomes.append(follow(page, asked.seconds))
        print(row(outcomes[-1]), flush=True)
        for block, error in outcomes[-1].failed:
            print(f"  line {block.line}: " + error.strip().replace("\n", "\n    "), flush=True)
    failed = sum(len(one.failed) for one in outcomes)
    print(
        f"{sum(one.run for one in outcomes)} blocks of {len(outcomes)} pages run, {failed} failed, ", end=""
    )
    print(f"{sum(len(one.left_out) for one in outcomes)} left out")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
