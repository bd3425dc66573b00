"""A run whose terminal is closed, as when a connection breaks, ends aborted on a safe bench."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from repository import ROOT

from mho.runs import RunFile, Status

pytestmark = pytest.mark.thorough

TAKE_THE_TERMINAL = (
    "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); from mho.cli.main import main; main()"
)


def start_in_terminal(path: Path) -> tuple[subprocess.Popen[bytes], int]:
    """Start a solve in a terminal of its own; return it and the terminal's other end."""
    mine, theirs = pty.openpty()
    command = ["solve", "mimo-16x16", "--seed", "1", "--output", str(path)]
    process = subprocess.Popen(
        [sys.executable, "-c", TAKE_THE_TERMINAL, *command],
        cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    deadline = time.monotonic() + 60
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert process.poll() is None, os.read(mine, 10_000)
    return process, mine


@pytest.fixture
def ending() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()


def test_a_run_whose_terminal_is_closed_ends_aborted(tmp_path, ending):
    path = tmp_path / "run.h5"
    process, terminal = start_in_terminal(path)
    ending.append(process)
    os.close(terminal)
    process.wait(timeout=30)
    with RunFile(path) as file:
        assert (file.status, file.reason) == (Status.ABORTED, "SIGHUP received")
        assert file.settings_after["board"]["mode"] == "SAFE"
