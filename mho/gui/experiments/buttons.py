"""The buttons for an order from the form: queue it, run it now, rehearse it, or change a waiting job."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from mho.gui.session.bench_safety import hold_topic
from mho.gui.session.session import Session
from mho.gui.widgets.output_window import OutputWindow

if TYPE_CHECKING:
    from mho.running.queue import Job, Order, Queue


class OrderButtons(QWidget):
    """Buttons below the form.

    Parameters
    ----------
    order : callable
        Returns what the form asks for.
    words : callable
        Returns the same as arguments of ``mho rehearse`` behind the bench.

    Attributes
    ----------
    job : int or None
        The waiting job that is being changed.
    """

    def __init__(
        self,
        session: Session,
        order: Callable[[], Order],
        words: Callable[[], Sequence[str]],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.session = session
        self.job: int | None = None
        self._order, self._words = order, words
        self.change = _button("", "give the job that waits these values; its place stays", self._change)
        self.leave = _button("Leave it", "leave the job as it was", lambda: self.edit(None))
        self.queue = _button("Queue", "put it behind all others", lambda: self._add(first=False))
        self.run_now = _button("Run now", "put it in front of all others", lambda: self._add(first=True))
        self.rehearse = _button(
            "Rehearse", "run it on simulated twins of the bench's instruments, and report", self._rehearse
        )
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for button in (self.change, self.leave, self.queue, self.run_now, self.rehearse):
            layout.addWidget(button)
        session.jobs_changed.connect(self._take_jobs)
        self.edit(None)

    def enable(self, enabled: bool) -> None:
        """Enable or disable the buttons."""
        for button in (self.change, self.queue, self.run_now, self.rehearse):
            button.setEnabled(enabled)

    def edit(self, job: int | None) -> None:
        """Offer to change the job with this number; None offers new jobs again."""
        self.job = job
        self.change.setText(f"Change job {job}")
        for button in (self.change, self.leave):
            button.setVisible(job is not None)
        for button in (self.queue, self.run_now):
            button.setVisible(job is None)

    def _take_jobs(self, jobs: list[Job]) -> None:
        """Stop changing a job that no longer waits."""
        if self.job is not None and not any(job.id == self.job and job.status == "queued" for job in jobs):
            self.session.tell("WARNING", f"job {self.job} waits no longer; Queue makes a new one of the form")
            self.edit(None)

    def _add(self, *, first: bool) -> None:
        order = self._order()

        def act(queue: Queue) -> Job:
            from mho.running.queue import checked

            complete, seconds = checked(order, queue)
            job = queue.add(complete, estimate=seconds)
            return queue.move(job.id, 1) if first else job

        self.session.change_queue(act, self._added)

    def _added(self, job: Job) -> None:
        lane = self.session.lane
        if lane is not None and lane.held:
            self.session.tell(
                "WARNING",
                f"job {job.id} waits: the queue is held ({lane.reason}); Resume lets it go on",
                hold_topic(self.session.bench),
            )
        else:
            self.session.tell("INFO", f"job {job.id} is in the queue: {job.order.procedure}")
            self.session.ensure_runner()

    def _change(self) -> None:
        order, number = self._order(), self.job
        assert number is not None

        def act(queue: Queue) -> Job:
            from mho.running.queue import checked

            complete, seconds = checked(replace(order, output=queue.job(number).order.output), queue)
            return queue.edit(number, complete, estimate=seconds)

        def then(job: Job) -> None:
            self.edit(None)
            self.session.tell("INFO", f"job {job.id} is changed")

        self.session.change_queue(act, then)

    def _rehearse(self) -> None:
        order = self._order()
        arguments = ["rehearse", self.session.bench, order.procedure, *self._words()]
        for option, value in (("--seed", order.seed), ("--preset", order.preset)):
            arguments += [] if value is None else [f"{option}={value}"]
        arguments += ["--force"] * order.force
        OutputWindow(f"Rehearsal: {order.procedure}", ["-m", "mho", *arguments], self).show()


def _button(text: str, tip: str, act: Callable[[], None]) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.clicked.connect(lambda _checked: act())
    return button
