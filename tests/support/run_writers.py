"""A run written by another process, step by step on a test's requests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import run_samples
from repository import ROOT


class WriterProcess:
    """``run_samples.py``, or another such program, at work on one run file."""

    def __init__(self, path: Path, program: str = run_samples.__file__) -> None:
        self._process = subprocess.Popen(
            [sys.executable, program, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )

    def tell(self, word: str) -> None:
        """Request a step, and wait until it is in the file."""
        self._say(word)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "done\n"

    def end(self, word: str) -> None:
        """Request the end of the run, and wait for the process."""
        self._say(word)
        self._process.communicate()

    def kill(self) -> None:
        """End the process as ``kill -9`` does."""
        self._process.kill()
        self._process.communicate()

    def _say(self, word: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
