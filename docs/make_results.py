"""Runs the commands of the pages and compares what they print with what the pages show: ``python docs/make_results.py``.

A page shows a command and its output in a block of the language `console`::

    $ mho run form --rows 0:4 --columns 0:4 --seed 1 --output formed.h5
    …
    finished: 16 of 16 cells formed, median 3.05 V
    yield                   1

An output with a line ``…`` is an excerpt: its lines are printed in this order, with others between them. Within a
line ``…`` stands for what depends on the machine: times, dates, folders. Everything else is compared as it is, so a
command needs a seed; what a command prints that is shown without an output is not compared. The blocks of a page run
in order in a folder of their own, in which its files (*Write `name`:* and a block) are written first. A block within
a comment is run and compared, but not shown.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(
    r"(?:Write `(?P<name>[\w.-]+)`:\n\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.M | re.S
)
NUMBER = r"-?\d[\d.,]*(?:e[+-]?\d+)?"
GAP = "…"
WIDTH = 120
"""Columns of the terminal that the pages show."""


@dataclass(frozen=True)
class Step:
    """A piece of a page in the order of reading: a file to write, or a command with the output that is shown.

    Attributes
    ----------
    start, end : int
        Where the shown output is in the page's text.
    """

    kind: str
    name: str
    text: str
    start: int = 0
    end: int = 0


def steps(page: str) -> Iterator[Step]:
    """Yield what a reader of a page does: files to write, commands to run."""
    for block in BLOCK.finditer(page):
        if block["name"]:
            yield Step("file", block["name"], block["text"])
        elif block["language"] == "console":
            for one in re.finditer(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", block["text"], re.M):
                start, end = (block.start("text") + at for at in one.span(2))
                yield Step("command", one[1], one[2], start, end)


def has_results(page: Path) -> bool:
    """Return whether a page shows what a command prints."""
    return any(step.kind == "command" for step in steps(page.read_text("utf-8")))


def run(command: str, folder: Path) -> str:
    """Run a command in a folder, with one thread and without colours, and return what it prints.

    Raises
    ------
    RuntimeError
        When it ends with an unhandled error; a refusal is part of what is shown.
    """
    words, _, target = command.partition(" > ")
    program, *arguments = shlex.split(words, comments=True)
    python = {"mho": [sys.executable, "-m", "mho"], "python": [sys.executable], "cat": ["cat"]}[program]
    settings = {"COLUMNS": str(WIDTH), "NO_COLOR": "1", "TERM": "dumb", "QT_QPA_PLATFORM": "offscreen"}
    settings |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "TZ": "UTC"}
    ended = subprocess.run(
        [*python, *arguments],
        cwd=folder,
        env=os.environ | settings | {"MHO_RUNS": "data/runs"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if target else subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
    )
    if "Traceback (most recent call last)" in ended.stdout + (ended.stderr or ""):
        raise RuntimeError(f"{command}\n{ended.stdout}{ended.stderr or ''}")
    if target:
        Path(folder, target).write_text(ended.stdout, "utf-8")
        return ended.stderr
    return ended.stdout


def printed_lines(output: str) -> list[str]:
    """Return the lines of an output, without spaces at their ends and without empty lines at its end."""
    return [line.rstrip() for line in output.rstrip().splitlines()]


def matches(shown: str, printed: str) -> bool:
    """Return whether a shown line is a printed one; ``…`` within it stands for anything."""
    return re.fullmatch(".*".join(map(re.escape, shown.split(GAP))), printed) is not None


def label(line: str) -> str:
    """Return what names the numbers of a line: its text before a colon or before its value, numbers left out."""
    name = re.split(r"\s{2,}|: | [│┃]", line.strip(" │┃"))[0]
    name = re.sub(rf" {NUMBER}( \S+)?$", "", name)  # a value and its unit behind a name that fills its column
    return re.sub(rf"(?<![\w.]){NUMBER}(?![\w.])", "", name)


def renewed(shown: str, output: str) -> str:
    """Return the output as the page should show it: the shown lines, each as it is printed now.

    A line of an excerpt is found again as it stands, or else by its `label`, behind the line before it; one that is printed
    no more is left out. Where all is shown, all is taken.

    Raises
    ------
    ValueError
        When none of the lines of an excerpt is printed.
    """
    lines, printed = shown.splitlines(), printed_lines(output)
    if not lines:
        return shown
    if GAP not in lines:
        same = len(lines) == len(printed) and all(map(matches, lines, printed))
        return shown if same else "".join(f"{line}\n" for line in printed)
    made, rest = [], printed
    for line in lines:
        at = None if line == GAP else place(line, rest)
        if at is not None:
            made.append(line if matches(line, rest[at]) else rest[at])
            rest = rest[at + 1 :]
        elif line == GAP:
            made.append(GAP)
    if made.count(GAP) == len(made) < len(lines):
        raise ValueError(f"none of these lines is printed any more:\n{shown}\nbut\n{output}")
    return "".join(f"{line}\n" for line in made)


def place(line: str, printed: list[str]) -> int | None:
    """Return where a shown line is among the printed ones, or another one with its label; None for nowhere."""
    alike = [number for number, one in enumerate(printed) if matches(line, one)]
    alike = alike or [number for number, one in enumerate(printed) if label(one) == label(line)]
    return alike[0] if alike else None


def follow(page: str) -> str:
    """Carry out a page in a folder of its own, and return its text with the outputs as they are now."""
    made, at = "", 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for step in steps(page):
            if step.kind == "file":
                (folder / step.name).write_text(step.text, "utf-8")
                continue
            made += page[at : step.start] + renewed(step.text, run(step.name, folder))
            at = step.end
    return made + page[at:]


def main() -> None:
    """Compare the pages that are named, or all that show results, with what their commands print now."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pages", nargs="*", type=Path)
    parser.add_argument("--write", action="store_true", help="put what is printed now into the pages")
    asked = parser.parse_args()
    pages = asked.pages or [page for page in sorted((ROOT / "docs").rglob("*.md")) if has_results(page)]
    stale = 0
    for page in pages:
        text, start = page.read_text("utf-8"), time.perf_counter()
        now = follow(text)
        stale += now != text
        print(
            f"{'as printed' if now == text else 'differs   '}  {page} ({time.perf_counter() - start:.0f} s)"
        )
        for line in difflib.unified_diff(text.splitlines(), now.splitlines(), lineterm="", n=0):
            if not line.startswith(("---", "+++", "@@")):
                print(f"  {line[0]} {line[1:]}")
        if asked.write and now != text:
            page.write_text(now, "utf-8")
    sys.exit(bool(stale) and not asked.write)


if __name__ == "__main__":
    main()
