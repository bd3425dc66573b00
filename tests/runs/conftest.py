import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from repository import SUPPORT

import mho.runs as runs
from mho.runs import Array, Column, Layout, Map, RecordedParameter, RunFile, RunHeader, Table


@pytest.fixture(autouse=True)
def files_as_runs_leave_them(packed: None) -> None:
    """Repack files, as `packed` does."""


@pytest.fixture
def header() -> RunHeader:
    return RunHeader(
        title="Solve 8×8, 24 bit",
        procedure="Solve",
        version="1.2",
        parameters={
            "cycles": RecordedParameter(6, "", "Cycles"),
            "read_voltage": RecordedParameter(0.2, "V", "Read voltage"),
            "hybrid": RecordedParameter(True, "", "Hybrid"),
            "matrix": RecordedParameter("gemäß.npy", "", "Matrix"),
            "note": RecordedParameter(None, "", "Note"),
            "entropy": RecordedParameter(2**100 + 1),
        },
        bench='name = "simulated"\n',
        chip="rows = 8\n# Ω\n",
        cells="inv[0:8, 0:8]",
        instruments={
            "smu": {"identity": "KEITHLEY INSTRUMENTS,MODEL 2450,1,2", "nplc": "1"},
            "daq": {"identity": "USB-6363"},
        },
        provenance={"seed": "7", "git_diff": "- a\n+ b"},
    )


@pytest.fixture
def layout() -> Layout:
    return Layout(
        tables=(
            Table(
                "cycles",
                (
                    Column("cycle", "", "i8", description="Cycle"),
                    Column("residual", "", description="Relative residual"),
                    Column("solution", "V", shape=(3,)),
                    Column("settled", "", "?"),
                ),
                signal="residual",
                axis="cycle",
                title="Refinement",
            ),
            Table("reads", (Column("current", "A"),), signal="current", axis="current"),
        ),
        maps=(Map("conductance", "S", np.array([4, 5]), np.array([0, 2, 7]), "Conductance"),),
        arrays=(
            Array("matrix", np.arange(6.0).reshape(2, 3), "S", "Target"),
            Array("solution", np.full(3, np.nan), "V"),
        ),
        default="maps/conductance",
    )


@pytest.fixture
def new_path(tmp_path: Path) -> Callable[[], Path]:
    """Paths that do not exist yet, as many as are asked for."""
    numbers = iter(range(10**6))
    return lambda: tmp_path / f"run-{next(numbers)}.h5"


class Children:
    """Processes of ``child_writer.py``."""

    def __init__(self) -> None:
        self._started: list[subprocess.Popen[str]] = []

    def start(self, what: str, path: Path) -> subprocess.Popen[str]:
        """Start a process and wait until it writes."""
        house = Path(runs.__file__).parents[2]
        child = subprocess.Popen(
            [sys.executable, str(SUPPORT / "child_writer.py"), what, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(house)},
        )
        self._started.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        return child

    def kill(self) -> None:
        """Kill those that still run."""
        for child in self._started:
            child.kill()
            child.communicate()


@pytest.fixture
def start_child() -> Iterator[Callable[[str, Path], subprocess.Popen[str]]]:
    """Start ``child_writer.py`` and wait until it writes; whatever still runs at the end is killed."""
    children = Children()
    yield children.start
    children.kill()


@pytest.fixture(scope="session")
def killed_in_silence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path, children = tmp_path_factory.mktemp("killed") / "run.h5", Children()
    children.start("silent", path)
    with RunFile(path) as file:
        while file.length("points") < 3:
            file.refresh()
    children.kill()
    return path


@pytest.fixture
def killed(killed_in_silence: Path) -> Callable[[Path], Path]:
    """Leave a file at a path whose writer was killed while it was silent after three rows."""
    return lambda path: shutil.copy(killed_in_silence, path)
