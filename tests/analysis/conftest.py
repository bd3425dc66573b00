from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import run_samples
from run_writers import WriterProcess


@pytest.fixture
def solved(tmp_path: Path) -> Path:
    return run_samples.whole_run(tmp_path / "solved.h5")


@pytest.fixture
def interrupted(tmp_path: Path) -> Path:
    """A run whose writer was killed after half the programming."""
    path = tmp_path / "interrupted.h5"
    writer = WriterProcess(path)
    writer.tell("half")
    writer.kill()
    return path


@pytest.fixture
def start_writer() -> Iterator[Callable[[Path], WriterProcess]]:
    writers: list[WriterProcess] = []

    def start(path: Path) -> WriterProcess:
        writers.append(WriterProcess(path))
        return writers[-1]

    yield start
    for writer in writers:
        writer.kill()
