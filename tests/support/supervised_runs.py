"""`mho run` on served twins, started as processes that can be killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
from queue_runners import ROOT, SUPPORT, eventually

from mho import platforms
from mho.instruments.laboratory.laboratory import Laboratory

ROLES = {"smu", "gate", "pulser", "board"}  # what is on while a cell is measured
LONGEST = 60.0  # s for a run to end, on a busy computer


class Runs:
    """Starts `mho run` on a served bench, in a session of its own, and ends what is left."""

    def __init__(self, folder: Path, bench: str, laboratory: Laboratory) -> None:
        self.folder, self.bench, self.laboratory = folder, bench, laboratory
        self.started: list[subprocess.Popen[str]] = []

    @property
    def path(self) -> Path:
        return self.folder / "run.h5"

    def said(self) -> str:
        """What the runs have said so far."""
        return (self.folder / "said.txt").read_text("utf-8")

    def start(
        self, how: str, *words: str, procedure: str = "queue_procedures:Going", **options: Any
    ) -> subprocess.Popen[str]:
        """Start a run that goes wrong in this way, and wait until it is about to."""
        marker = self.folder / "marker"
        command = [sys.executable, "-m", "mho", "run", procedure, how]
        command += ["--marker", str(marker), "--bench", self.bench, "--output", str(self.path), *words]
        with (self.folder / "said.txt").open("a", encoding="utf-8") as said:
            process = subprocess.Popen(
                command,
                cwd=SUPPORT,
                env={"MHO_RUNS": str(self.folder)} | os.environ | {"PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
                **platforms.here.apart() | options,
            )
        self.started.append(process)
        eventually(lambda: marker.exists() or process.poll() is not None)
        return process

    def end(self, process: subprocess.Popen[str]) -> tuple[int, str]:
        """Wait for its end; return exit status and what was said."""
        process.communicate(timeout=LONGEST)
        said = self.said()
        assert "Traceback" not in said
        return process.returncode, said

    def worker_of(self, process: subprocess.Popen[str]) -> psutil.Process:
        children = psutil.Process(process.pid).children()
        (worker,) = (
            child for child in children if child.name() != "conhost.exe"
        )  # which has a console's text
        return worker
