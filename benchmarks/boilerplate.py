"""Lines of a script for the endurance experiment, here and with QCoDeS, whose Datasets have the same dimensions.

Both scripts are in `benchmarks/endurance`, and are carried out: the same pulses on the same chip, read as one Dataset.
Lines count that are neither empty nor a docstring.
"""

from __future__ import annotations

import contextlib
import os
import runpy
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.registry import Figure, installed

SCRIPTS = Path(__file__).with_name("endurance")
DIMENSIONS = ("cycle", "row", "column")


def run(repeat: int) -> list[Figure]:
    """Count the lines of both scripts, and carry them out."""
    ours = lines(SCRIPTS / "with_mho.py")
    sizes = dataset_of(SCRIPTS / "with_mho.py")["conductance"].sizes
    peer = None
    if installed("qcodes"):
        peer = lines(SCRIPTS / "with_qcodes.py")
        theirs = dataset_of(SCRIPTS / "with_qcodes.py")["conductance"]
        assert dict(theirs.sizes) == dict(sizes), "the Datasets have other dimensions"
    return [
        Figure(
            "an endurance experiment, to its Dataset", ours, "lines", "QCoDeS", peer, target="as few",
            met=None if peer is None else ours <= peer, detail={"dimensions": dict(sizes)}, peer_package="qcodes",
        )
    ]  # fmt: skip


def lines(script: Path) -> int:
    """Return how many lines of a script do something."""
    return sum(
        bool(line.strip()) and not line.strip().startswith('"""') for line in script.read_text().splitlines()
    )


def dataset_of(script: Path) -> Any:
    """Carry out a script in a folder of its own, and return its Dataset, in memory."""
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.chdir(folder),
        open(os.devnull, "w") as quiet,
        contextlib.redirect_stdout(quiet),
    ):
        return runpy.run_path(str(script))["dataset"].load()
