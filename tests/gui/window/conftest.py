"""A queue for tests in which the window starts a runner."""

import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from queue_runners import Desk

from mho.running.runner import NoRunnerError


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A queue whose runner, if the window starts one, is ended with the test."""
    desk = Desk(tmp_path / "runs" / "queue.sqlite")
    yield desk
    with suppress(NoRunnerError, psutil.NoSuchProcess):
        runner = psutil.Process(desk.client.status().pid)
        runner.send_signal(signal.SIGTERM)
        runner.wait(30)
