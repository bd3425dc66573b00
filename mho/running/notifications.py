"""Sends a notification when a run ends: mail, chat or phone, through apprise; off unless an address is given."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mho.errors import InputError, LimitError, needing, recorded_class
from mho.procedures.stream import Ended, Event
from mho.runs import Status, outcome_line, status_words

log = logging.getLogger(__name__)

VARIABLE = "MHO_NOTIFY"
PATIENCE = 10.0  # s that the end of a process may wait for what is being sent

Occasion = Literal["finish", "failure", "limit"]
OCCASIONS: tuple[Occasion, ...] = ("finish", "failure", "limit")


def occasion_of(status: str, error: str) -> Occasion | None:
    """Return the occasion under which the end of a run or job is notified; None for one that was stopped by hand.

    `error`: kind of error that ended it, as `mho.errors.recorded_name` has it.
    """
    if status == Status.FINISHED:
        return "finish"
    if status not in (Status.FAILED, Status.INTERRUPTED):
        return None
    return "limit" if issubclass(recorded_class(error), LimitError) else "failure"


@dataclass(frozen=True)
class Addresses:
    """The addresses to notify, and the occasions."""

    urls: tuple[str, ...]  # addresses for apprise: ``mailto://…``, ``ntfy://…``, ``json://…``
    occasions: tuple[Occasion, ...] = OCCASIONS  # among `OCCASIONS`


def addresses(urls: Sequence[str] = (), environ: Mapping[str, str] = os.environ) -> Addresses | None:
    """Return the addresses given, or those in ``MHO_NOTIFY`` (apart by blanks); None when there are none."""
    given = tuple(urls) or tuple(environ.get(VARIABLE, "").split())
    return Addresses(given) if given else None


class Notifier:
    """An observer of runs that sends a line on the chosen occasions, in its own thread.

    Sending takes seconds and may fail: neither ever holds up a run, failures are logged.

    `InputError` for an address that apprise does not know (only its scheme is repeated: the rest may be a
    password), or apprise not installed.
    """

    def __init__(self, addresses: Addresses) -> None:
        with needing("a notification", "apprise"):
            import apprise
        self._occasions = addresses.occasions
        self._sender = apprise.Apprise()
        for url in addresses.urls:
            if not self._sender.add(url):
                raise InputError(
                    f"{url.partition('://')[0]}://… is not an address that notifications can be sent to; see apprise's list"
                )
        self._sending: list[threading.Thread] = []

    def observe(self, event: Event) -> None:
        """Handle one event of a run."""
        if isinstance(event, Ended):
            self.ended(event)

    def ended(self, event: Ended) -> None:
        """Send how a run ended, if that is one of the occasions."""
        occasion = occasion_of(event.status, event.error)
        if occasion is not None:
            title = f"mho: {event.path.stem} {status_words(event.status, event.conclusion)}"
            outcome = outcome_line(event.status, event.reason, event.conclusion, named=False)
            text = "\n".join([outcome or "all well", *event.conclusion.warnings])
            self.send(title, f"{text}\n{event.path}", occasion)

    def send(self, title: str, body: str, occasion: Occasion) -> None:
        """Send in the background, if that is one of the occasions."""
        if occasion not in self._occasions:
            return
        kinds = {"finish": "success", "failure": "failure", "limit": "warning"}
        thread = threading.Thread(
            target=self._send, args=(title, body, kinds[occasion]), name="notification", daemon=True
        )
        self._sending = [*(one for one in self._sending if one.is_alive()), thread]
        thread.start()

    def _send(self, title: str, body: str, kind: str) -> None:
        try:
            if not self._sender.notify(title=title, body=body, notify_type=kind):
                log.error("the notification %r could not be delivered everywhere", title)
        except Exception:  # an error in a service's plug-in must not stop the run
            log.exception("the notification %r was not sent", title)

    def close(self) -> None:
        """Wait briefly until pending messages are sent."""
        for thread in self._sending:
            thread.join(PATIENCE)
