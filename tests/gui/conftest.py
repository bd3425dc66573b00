from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import run_samples
from run_writers import WriterProcess

import gui
from gui.run_window import RunWindow


@pytest.fixture
def solved(tmp_path: Path) -> Path:
    return run_samples.whole_run(tmp_path / "solved.h5")


@pytest.fixture
def open_window(qtbot) -> Callable[[Path], RunWindow]:
    windows = []  # pytest-qt keeps none alive

    def open_shown(path: Path) -> RunWindow:
        window = gui.open_run_window(path)
        windows.append(window)
        qtbot.addWidget(window)
        qtbot.waitExposed(window)
        return window

    return open_shown


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[WriterProcess]:
    """A process that writes ``live.h5`` as it is told."""
    process = WriterProcess(tmp_path / "live.h5")
    yield process
    process.kill()
