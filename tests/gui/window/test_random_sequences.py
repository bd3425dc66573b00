"""Random sequences of start, abort, STOP, kill and restart: light, table and queue never contradict the instruments.

The instruments are twins that outlive every process of mho, so that their outputs are known whatever is killed. What the
window shows may be a moment late; a contradiction is what is still wrong after `LATE`.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtTest import QTest
from queue_runners import served_bench, unsafe_roles
from shiboken6 import Shiboken

import mho.gui as gui
from mho.gui.bench.panel import OUTPUT
from mho.gui.window.main_window import MainWindow
from mho.instruments.laboratory.laboratory import Laboratory
from mho.running.queue import Job, Order, Queue
from mho.running.runner import as_it_stands

LATE = 4.0  # s that the window may take to show what is so
SETTLED = 90.0  # s after which nothing may be on the way any more
STEPS = 6
SEEDS = int(os.environ.get("MHO_SEQUENCES", "200"))
"""Sequences that the soak test goes through."""


@dataclass
class Sequence:
    """One random sequence on a window, and what was found wrong; `said` is what was done, in order."""

    folder: Path
    bench: str
    laboratory: Laboratory
    random: random.Random
    said: list[str] = field(default_factory=list)
    window: MainWindow = field(init=False)

    def __post_init__(self) -> None:
        self.open()

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    # --- what is done ---

    def open(self) -> None:
        settings = QSettings(str(self.folder / "settings.ini"), QSettings.Format.IniFormat)
        settings.setValue("guided", True)
        self.window = gui.open_main_window(self.runs, self.bench, settings=settings)
        self.window.show_panel("Bench")
        QTest.qWait(200)

    def start(self) -> None:
        parameters = {"rows": "0:3", "columns": "0:3", "repeats": str(self.random.choice([1, 30, 300]))}
        with Queue(self.window.session.queue_path) as queue:
            queue.add(Order("read", parameters, self.bench, 1, folder=self.folder))
        self.window.session.ensure_runner()

    def abort(self) -> None:
        self.window.session.command("abort")

    def stop(self) -> None:
        QTest.mouseClick(self.window.commands.stop, Qt.MouseButton.LeftButton)

    def resume(self) -> None:
        self.window.session.command("resume")

    def pause(self) -> None:
        self.window.session.command("pause")

    def kill_runner(self) -> None:
        for process in self.processes():
            process.send_signal(signal.SIGKILL)

    def kill_worker(self) -> None:
        for process in self.processes():
            for child in process.children():
                child.send_signal(signal.SIGKILL)

    def restart(self) -> None:
        self.window.close()
        Shiboken.delete(self.window)
        self.open()

    def processes(self) -> list[psutil.Process]:
        """The runners of this bench: one, or none."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            line = process.info["cmdline"] or []
            if line[-3:] == ["runner", "--bench", self.bench]:
                found.append(process)
        return found

    def end(self) -> None:
        for process in self.processes():
            with suppress(psutil.Error):
                process.terminate()
                process.wait(60)
        self.window.close()
        Shiboken.delete(self.window)

    # --- what is looked at ---

    def queue(self) -> list[Job]:
        with Queue(self.window.session.queue_path) as queue:
            return [as_it_stands(job) for job in queue.jobs(self.bench)]

    def contradiction(self) -> str:
        """Return what contradicts the instruments or the queue now; empty for nothing."""
        light = self.window.commands.light.text()
        on = unsafe_roles(self.laboratory)
        if light.startswith("SAFE") and on:
            return f"the light says {light!r} while {', '.join(sorted(on))} are on"
        jobs = {job.id: str(job.status) for job in self.queue()}
        active = [number for number, status in jobs.items() if status in ("running", "paused")]
        if light.startswith("LIVE") and not active:
            return f"the light says {light!r} and no job is running: {jobs}"
        shown = {job.id: str(job.status) for job in self.window.panel("Queue").model.jobs}
        if shown != jobs:
            return f"the queue shows {shown} and is {jobs}"
        table = self.window.panel("Bench").instruments
        for role in on & set(table.roles):
            item = table.topLevelItem(table.roles.index(role))
            if item.text(OUTPUT) in ("off", "SAFE"):
                return f"the table says that {role} is {item.text(OUTPUT)}, and it is on"
        return ""

    def check(self) -> None:
        """Wait until nothing contradicts, at most `LATE`."""
        deadline = time.monotonic() + LATE
        while found := self.contradiction():
            assert time.monotonic() < deadline, f"{found}; after {' '.join(self.said)}"
            QTest.qWait(50)

    def settle(self) -> None:
        """Wait until nothing is on the way: then every output is off, or the window does not say that it is safe."""
        deadline = time.monotonic() + SETTLED
        while any(str(job.status) in ("running", "paused") for job in self.queue()):
            if time.monotonic() > deadline:
                break
            self.check()
            QTest.qWait(100)
        QTest.qWait(500)
        self.check()


def go_through(seed: int, folder: Path) -> str:
    """Go through the sequence of a seed; returns what was done."""
    chance = random.Random(seed)
    with served_bench(folder) as (bench, laboratory):
        one = Sequence(folder, bench, laboratory, chance)
        acts: dict[str, Callable[[], None]] = {
            "start": one.start, "abort": one.abort, "STOP": one.stop, "resume": one.resume, "pause": one.pause,
            "kill-runner": one.kill_runner, "kill-worker": one.kill_worker, "restart": one.restart,
        }  # fmt: skip
        try:
            names = ["start", *chance.choices(list(acts), [4, 2, 2, 2, 1, 1, 1, 1], k=STEPS - 1)]
            for name in names:
                one.said.append(name)
                acts[name]()
                QTest.qWait(int(1000 * chance.choice([0.0, 0.2, 1.0, 2.5])))
                one.check()
            if chance.random() < 0.5:
                one.said.append("resume")
                one.resume()
            one.settle()
        finally:
            one.end()
    return " ".join(one.said)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", [1, 2])
def test_light_table_and_queue_agree_with_the_instruments_after_a_random_sequence(
    seed: int, tmp_path: Path, qtbot
) -> None:
    go_through(seed, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_there_is_no_contradiction_in_two_hundred_random_sequences(tmp_path: Path, qtbot) -> None:
    wrong = {}
    for seed in range(SEEDS):
        folder = tmp_path / str(seed)
        folder.mkdir()
        try:
            go_through(seed, folder)
        except AssertionError as error:
            wrong[seed] = str(error).split("\n", 1)[0]
    assert not wrong, f"{len(wrong)} of {SEEDS} sequences: {wrong}"
