"""The guided run at the first start: two minutes from an empty folder to a solution on the simulated bench."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, Signal
from PySide6.QtWidgets import QFrame, QWidget

from mho.errors import InputError
from mho.gui import widgets
from mho.gui.session.session import Session

if TYPE_CHECKING:
    from mho.gui.session.file_follower import News
    from mho.running.queue import Job

SAMPLE = "guided-8x8.csv"
ORDER, SEED, BITS = 8, 8, 16

STEPS = (
    "New here? A guided run on the simulated bench takes two minutes and needs no hardware.",
    "The form on the left asks for a matrix of 8 x 8 to be solved to 16 bits. Press Run now.",
    "The job is in the Queue below. Its process opens the bench; give it a few seconds.",
    "Cells are being programmed: watch them in Chip. Esc Esc would stop everything.",
    "The chip inverts, and refines: each cycle in Solve brings a few bits more.",
    "Solved. The run file is in Runs; the next one is yours: change a value in the form, or choose a procedure.",
)
EDGE, WIDEST = 12, 820  # pixels
OFFER, FORM, QUEUED, PROGRAMMING, REFINING, DONE = range(len(STEPS))


class GuidedRun(QFrame):
    """A card that lies over the foot of a widget, shows the next step and advances when it is done.

    It emits `ended` after the last step or when declined.
    """

    ended = Signal()
    look_at = Signal(str)
    """A panel's title: there is something to see."""

    def __init__(self, session: Session, over: QWidget) -> None:
        super().__init__(over)
        self._over = over
        self.session = session
        self.step = OFFER
        self._job = 0
        self.text = widgets.plain_label()
        self.begin = widgets.button("Guide me", self._begin)
        self.leave = widgets.button("No, thank you", self.ended.emit)
        widgets.row(self, (self.text, 1), self.begin, self.leave, margins=(12, 8, 8, 8))
        self.setStyleSheet(
            f"GuidedRun {{ background: {widgets.SIMULATED}; }} QLabel {{ color: white; font-weight: bold; }}"
        )
        session.jobs_changed.connect(self._take_jobs)
        session.run_news.connect(self._take_news)
        over.installEventFilter(self)
        self._go_to(OFFER)
        self.show()
        self.raise_()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Stay at the foot of what it lies over."""
        if event.type() == QEvent.Type.Resize:
            self._lie()
        return False

    def _lie(self) -> None:
        over = self._over
        width = min(over.width() - 2 * EDGE, WIDEST)
        height = self.sizeHint().height()
        self.setGeometry((over.width() - width) // 2, over.height() - height - EDGE, width, height)

    def _go_to(self, step: int) -> None:
        self.step = step
        self.text.setText(STEPS[step])
        self.begin.setVisible(step == OFFER)
        self.leave.setText(
            "No, thank you" if step == OFFER else "Close" if step == DONE else "Leave the guide"
        )
        self._lie()

    def _begin(self) -> None:
        if self.session.bench != "simulated":
            self.session.set_bench("simulated")
        path = self.session.folder / SAMPLE
        self.session.ask(lambda: sample_matrix(path), self._show_form)

    def _show_form(self, path: Path) -> None:
        self._job = max((job.id for job in self.session.jobs), default=0)
        self.session.form_wanted.emit("solve", {"matrix": str(path), "bits": BITS})
        self.look_at.emit("Experiments")
        self._go_to(FORM)

    def _take_jobs(self, jobs: list[Job]) -> None:
        if self.step == FORM and any(job.id > self._job for job in jobs):
            self.look_at.emit("Queue")
            self._go_to(QUEUED)

    def _take_news(self, news: News) -> None:
        if not QUEUED <= self.step < DONE:
            return
        if news.status == "finished":
            self._go_to(DONE)
        elif news.convergence is not None and len(news.convergence.cycle) and self.step < REFINING:
            self.look_at.emit("Solve")
            self._go_to(REFINING)
        elif self.step < PROGRAMMING:
            self.look_at.emit("Chip")
            self._go_to(PROGRAMMING)


def sample_matrix(path: Path) -> Path:
    """Write a matrix that is easy to solve, unless it is there, and return its path; else `InputError`."""
    import numpy as np

    rng = np.random.default_rng(SEED)
    matrix = np.eye(ORDER) + rng.uniform(-0.4, 0.4, (ORDER, ORDER)) / ORDER
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(path, matrix, delimiter=",", fmt="%.6f")
    except OSError as error:
        raise InputError(f"the sample matrix {path} cannot be written: {error.strerror}") from None
    return path
