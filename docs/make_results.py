"""Runs the commands of the pages and compares what they print with what the pages show: ``python docs/make_results.py``.

A page shows a command and its output in a block of the language `console`::

    $ mho run form --rows 0:4 --columns 0:4 --seed 1 --output formed.h5
    …
    finished: 16 of 16 cells formed, median 3.05 V
    …
    yield                   1
    …

A line ``…`` stands for any lines, ``…`` within a line for what depends on the machine: times, dates, folders. Everything
else is compared as it is, so a command needs a seed. The blocks of a page run in order in a folder of their own, in which
its files (*Write `name`:* and a block) are written first. A block within a comment is run and compared, but not shown.
"""

from __future__ import annotations

import argparse
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
    python = {"mho": [sys.executable, "-m", "mho"], "python": [sys.executable]}[program]
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
    """Return what names the numbers of a line: its text as far as the first number, or the space before the value."""
    return re.split(r"\d|\s{2,}|: ", line.strip())[0].strip()


def renewed(shown: str, output: str) -> str:
    """Return the output as the page should show it: the shown lines, each as it is printed now.

    Lines are found again as they stand, or else by their `label`. A shown line that is printed no more is left out. Where
    nothing is left out by ``…``, all lines are taken.

    Raises
    ------
    ValueError
        When none of the shown lines is printed.
    """
    lines, printed = shown.splitlines(), printed_lines(output)
    if not lines or lines == [GAP]:
        return shown
    if GAP not in lines:
        if len(lines) == len(printed):
            return "".join(
                f"{old if matches(old, new) else new}\n" for old, new in zip(lines, printed, strict=True)
            )
        return "".join(f"{line}\n" for line in printed)
    made: list[str] = []
    at, last = 0, -1
    for line in lines:
        if line == GAP:
            continue
        there = [number for number in range(at, len(printed)) if matches(line, printed[number])]
        there = there or [
            number for number in range(at, len(printed)) if label(line) == label(printed[number])
        ]
        if not there:
            continue
        at = there[0]
        made += [GAP] if at > last + 1 else []
        made.append(line if matches(line, printed[at]) else printed[at])
        last, at = at, at + 1
    if last < 0:
        raise ValueError(f"none of these lines is printed any more:\n{shown}\nbut\n{output}")
    made += [GAP] if last + 1 < len(printed) else []
    return "".join(f"{line}\n" for line in made)


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
        for before, after in zip(text.splitlines(), now.splitlines(), strict=False):
            if before != after:
                print(f"  - {before}\n  + {after}")
        if asked.write and now != text:
            page.write_text(now, "utf-8")
    sys.exit(bool(stale) and not asked.write)


if __name__ == "__main__":
    main()
