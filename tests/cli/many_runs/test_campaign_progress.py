"""A campaign without a terminal: a line every now and then says how far it is."""

from __future__ import annotations

import re
import time
from io import StringIO

import pytest

from mho.cli.many_runs.campaign import PERIOD, CampaignProgress
from mho.cli.terminal.terminal import Terminal


class Pool:
    """Workers of which only the number matters here."""

    def __init__(self, *counts: int) -> None:
        self._counts = list(counts)

    def count(self) -> int:
        """Return the next number, the last one again and again; below 0 the scheduler does not answer."""
        now = self._counts.pop(0) if len(self._counts) > 1 else self._counts[0]
        if now < 0:
            raise OSError("closed")
        return now


def row(status: str = "finished", attempts: int = 1) -> dict[str, object]:
    return {"status": status, "attempts": attempts}


def test_a_line_comes_at_least_every_minute():
    assert PERIOD <= 60.0


def test_lines_say_how_many_runs_failures_and_workers_there_are_and_how_long_it_takes():
    out = StringIO()
    with CampaignProgress("reads", 10, Pool(2, -1, 1), Terminal(file=out, soft_wrap=True), 0.05) as progress:
        for one in (row(attempts=0), row(), row(), row("failed", 2)):
            progress.observe(one)
        deadline = time.monotonic() + 30.0
        while out.getvalue().count("\n") < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
    first, second, *_ = out.getvalue().splitlines()
    line = r"4 of 10 runs, 1 failed, {}, [\d.]+ s, about [\d.]+ s left"
    assert re.fullmatch(line.format("2 workers"), first)
    assert re.fullmatch(line.format("1 worker"), second)  # it went on after a look that failed
    written = out.getvalue()
    time.sleep(0.2)
    assert out.getvalue() == written


def test_the_time_left_counts_runs_of_this_time_only():
    progress = CampaignProgress("reads", 10, Pool(1), Terminal(file=StringIO()))
    progress.observe(row(attempts=0))
    assert "left" not in progress.line()
    progress._began -= 60.0
    progress.observe(row())
    (left,) = re.findall(r"about (.*) left", progress.line())
    assert left == pytest.approx("8 min 00 s")


def test_a_terminal_has_a_bar_and_no_lines():
    out = StringIO()
    terminal = Terminal(file=out, force_terminal=True, width=100)
    with CampaignProgress("reads", 10, Pool(1), terminal, 0.01) as progress:
        progress.observe(row("failed"))
        time.sleep(0.1)
    shown = re.sub(r"\x1b\[[^A-Za-z]*[A-Za-z]", "", out.getvalue())
    assert "1/10 runs  1 failed" in shown
    assert "worker" not in out.getvalue()
