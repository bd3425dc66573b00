"""Notifications: sent to a real receiver on the occasions wanted, never in a run's way."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from mho import run
from mho.errors import InputError
from mho.procedures import Read
from mho.procedures.stream import Ended
from mho.running.notifications import Addresses, Notifier, addresses, occasion_of
from mho.runs import Status

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*imghdr.*:DeprecationWarning"
)  # a plug-in of apprise imports it

PATH = Path("runs/one.h5")


class Receiver(HTTPServer):
    """What an apprise ``json://`` address talks to."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        received = self.received

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.server_port}"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.thorough
def test_the_end_of_a_run_reaches_the_receiver(receiver, tmp_path):
    notifier = Notifier(Addresses((receiver.url,)))
    reads = run(Read(rows="0:1", columns="0:1"), seed=1, output=tmp_path, observers=[notifier.observe])
    notifier.close()
    (message,) = receiver.received
    assert message["title"] == f"mho: {reads.path.stem} finished"
    assert str(reads.path) in message["message"]
    assert message["type"] == "success"


@pytest.mark.parametrize(
    ("status", "reason", "occasion"),
    [
        (Status.FINISHED, "", "finish"),
        (Status.FAILED, "InstrumentError: no answer", "failure"),
        (Status.FAILED, "LimitError: bit line", "limit"),
        (Status.ABORTED, "SIGINT received", None),
    ],
)
def test_an_end_is_told_as_what_it_is_and_only_where_wanted(receiver, status, reason, occasion):
    ended = Ended(status, reason, PATH, error=reason.partition(":")[0])
    assert occasion_of(ended.status, ended.error) == occasion
    assert occasion_of(Status.FAILED, "LimitError: in words") == "failure"  # the class decides
    for wanted in (("finish",), ("failure",), ("limit",)):
        notifier = Notifier(Addresses((receiver.url,), wanted))
        notifier.observe(ended)
        notifier.close()
    assert len(receiver.received) == (occasion is not None)
    assert all(reason in message["message"] for message in receiver.received)


def test_an_address_where_nobody_is_costs_the_run_nothing(caplog, tmp_path):
    notifier = Notifier(Addresses(("json://127.0.0.1:9",)))
    with caplog.at_level(logging.ERROR):
        run(Read(rows="0:1", columns="0:1"), seed=1, output=tmp_path, observers=[notifier.observe])
        notifier.close()
    assert "could not be delivered" in caplog.text


def test_an_unknown_address_is_refused_without_repeating_what_may_be_secret():
    with pytest.raises(InputError, match=r"^nonsense://… is not an address") as caught:
        Notifier(Addresses(("nonsense://user:secret@host",)))
    assert "secret" not in str(caught.value)


def test_notifications_are_off_unless_asked_for():
    assert addresses((), {}) is None
    assert addresses((), {"MHO_NOTIFY": "ntfy://a json://b"}).urls == ("ntfy://a", "json://b")
    assert addresses(("json://c",), {"MHO_NOTIFY": "ntfy://a"}).urls == ("json://c",)
