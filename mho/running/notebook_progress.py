"""Shows in a notebook how far a run is, and the run itself when it is over; outside a notebook it does nothing.

IPython is not imported here: in a notebook its kernel is loaded already.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

from mho.errors import MhoError
from mho.escaping import html
from mho.procedures.stream import Ended, Event, Message, Observer, Progress, Started
from mho.runs import outcome_line

INTERVAL = 0.25
"""Between two pictures of a bar, s."""

MOST_MESSAGES = 20
"""Warnings that are shown, the latest."""


class Handle(Protocol):
    """What IPython's `display` returns."""

    def update(self, shown: object, /) -> object:
        """Show something else in the same place."""


class Shown:
    """A page for a notebook, and what is shown of it where there is only text."""

    def __init__(self, page: str, text: str) -> None:
        self._page = page
        self._text = text

    def _repr_html_(self) -> str:
        return self._page

    def __repr__(self) -> str:
        return self._text


class NotebookProgress:
    """Observes a run: a bar for each of its stages, its warnings, and in their place the run when it is over.

    Parameters
    ----------
    display : callable
        Shows something below the cell, and returns the handle by which it is replaced.
    clock : callable
        Wall time, s: bars are drawn at most four times a second.
    """

    def __init__(
        self, display: Callable[[object], Handle], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._display = display
        self._clock = clock
        self._handle: Handle | None = None
        self._title = ""
        self._stages: dict[str, Progress] = {}
        self._messages: list[str] = []
        self._drawn = -INTERVAL

    def __call__(self, event: Event) -> None:
        """Show what an event of the run changes."""
        match event:
            case Started(title=title):
                self._title = title
                self._show(self._bars())
            case Progress():
                is_last = event.done >= event.total
                self._stages[event.stage] = event
                if is_last or self._clock() - self._drawn >= INTERVAL:
                    self._show(self._bars())
            case Message(level=level, text=text) if level != "INFO":
                self._messages = [*self._messages, text][-MOST_MESSAGES:]
                self._show(self._bars())
            case Ended():
                self._show(self._over(event))

    def _show(self, shown: object) -> None:
        self._drawn = self._clock()
        if self._handle is None:
            self._handle = self._display(shown)
        else:
            self._handle.update(shown)

    def _bars(self) -> Shown:
        lines = [
            f"<div>{html(one.stage)} <progress value='{one.done}' max='{max(one.total, 1)}'></progress> "
            f"{one.done} of {one.total}{html(_numbers(one))}</div>"
            for one in self._stages.values()
        ]
        text = "; ".join(f"{one.stage} {one.done} of {one.total}" for one in self._stages.values())
        return Shown(
            f"<div><b>{html(self._title)}</b>{''.join(lines)}{self._warnings()}</div>",
            f"{self._title}: {text or 'started'}",
        )

    def _over(self, event: Ended) -> Shown:
        outcome = outcome_line(event.status, event.reason, event.conclusion)
        unsafe = "" if event.safe else f"<div><b>{html(event.unsafe_reason)}</b></div>"
        text = f"{self._title}: {outcome}; {event.path}"
        from mho.analysis.datasets import Run  # not before it is needed: a worker starts without it

        try:
            with Run(event.path) as run:
                page = run._repr_html_()
        except MhoError:
            page = f"<div>{html(text)}</div>"
        return Shown(f"<div>{unsafe}{page}{self._warnings()}</div>", text)

    def _warnings(self) -> str:
        return "".join(f"<div>{html(text)}</div>" for text in self._messages)


def _numbers(event: Progress) -> str:
    return "".join(f", {value:g} {name}" for name, value in event.detail.items())


def notebook_observers() -> tuple[Observer, ...]:
    """Return what shows a run in the notebook that this process is the kernel of; nothing elsewhere."""
    ipython: Any = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if shell is None or getattr(shell, "kernel", None) is None:
        return ()
    from IPython.display import display

    return (NotebookProgress(lambda shown: display(shown, display_id=True)),)
