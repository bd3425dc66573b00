"""The runner's socket, at which any number of clients watch and command, each on its own two threads."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import socket
import threading
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing import AuthenticationError
from typing import Any, NamedTuple, Self

from mho.errors import MhoError
from mho.running.runner.connection import Wire
from mho.running.runner.messages import Event, Outbox, Request, RequestRefused, RunnerState, decode_request

WATCHERS = 64  # at once
SEATS = 64  # connections of clients that do not watch; each is closed soon, so that a new client gets one
REQUEST_WITHIN = 5.0  # s that one who does not watch may take for his next request
ANSWER_WITHIN = 30.0  # s that the runner may take
FAREWELL = 1.0  # s that clients may take to hear the last
LOOK = 0.25  # s between looks whether to close

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClientRequest:
    """A client's request; the runner replies through `answer`."""

    request: Request
    answer: Future[RunnerState] = field(default_factory=Future)


class _Client(NamedTuple):
    """A client that has been admitted; its messages wait in a bounded queue."""

    wire: Wire
    outbox: Outbox


class ControlServer:
    """Listens until closed; a context manager. The runner is asked through its inbox, in its own time."""

    def __init__(self, listener: socket.socket, secret: bytes, inbox: queue.SimpleQueue[Any]) -> None:
        self._listener, self._secret, self._inbox = listener, secret, inbox
        self._clients: list[_Client] = []
        self._watching: list[_Client] = []
        self._lock = threading.Lock()
        self._seats = threading.Semaphore(SEATS)
        self._closing = threading.Event()
        self._listener.settimeout(LOOK)
        self._thread = threading.Thread(target=self._accept, name="control", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Send what waits, disconnect all clients, and stop listening."""
        self._closing.set()
        with contextlib.suppress(OSError):
            # Wakes the thread where the system does so; else it looks soon
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        with self._lock:
            clients = list(self._clients)
        for client in clients:
            client.outbox.close(FAREWELL / len(clients))
            client.wire.close()

    def announce(self, event: Event) -> None:
        """Send an event to all clients that watch; never blocks."""
        with self._lock:
            for client in self._watching:
                client.outbox.offer(event)

    def _accept(self) -> None:
        while not self._closing.is_set():
            if not self._seats.acquire(timeout=LOOK):
                continue  # until a client's time is over; new clients wait to be accepted
            sock = self._next_client()
            if sock is None:
                self._seats.release()
            else:
                threading.Thread(target=self._receive, args=(sock,), name="client", daemon=True).start()

    def _next_client(self) -> socket.socket | None:
        try:
            return self._listener.accept()[0]
        except TimeoutError:
            return None
        except OSError as error:  # such as too many open files
            if not self._closing.wait(LOOK):
                log.warning("no client can be let in: %s", error)
            return None

    def _receive(self, sock: socket.socket) -> None:
        """Authenticate a client, and serve it until it leaves."""
        with ExitStack() as seat:
            seat.callback(self._seats.release)
            try:
                with contextlib.closing(sock):
                    wire = Wire.accepted(sock, self._secret)
                self._serve(_Client(wire, Outbox(wire.send)), seat)
            except (OSError, EOFError, AuthenticationError) as error:
                log.warning("a client is refused: %s", str(error) or "it hung up")

    def _serve(self, client: _Client, seat: ExitStack) -> None:
        with self._lock:
            self._clients.append(client)
        try:
            while not self._closing.is_set():
                watches = client in self._watching
                line = client.wire.receive(None if watches else REQUEST_WITHIN)
                if line is None:
                    log.debug("a client has said nothing for %g s and is hung up on", REQUEST_WITHIN)
                    break
                client.outbox.offer(self._answer(client, line))
                if client in self._watching:
                    seat.close()  # it may stay for days
        except EOFError:
            log.debug("a client has left")
        except OSError as error:
            log.warning("a client is hung up on: %s", error)
        finally:
            with self._lock:
                self._clients.remove(client)
                self._watching = [one for one in self._watching if one is not client]
            client.outbox.close(FAREWELL)
            client.wire.close()
            client.wire.release()

    def _answer(self, client: _Client, line: bytes) -> RunnerState | RequestRefused:
        try:
            asked = ClientRequest(decode_request(line))
            if asked.request.command == "watch" and not self._may_watch(client):
                return RequestRefused(
                    f"a runner serves this bench (process {os.getpid()}), but all {WATCHERS} seats of those who watch "
                    "are taken; end one of them, or look by `mho queue list`",
                    busy=True,
                )
            self._inbox.put(asked)
            return asked.answer.result(ANSWER_WITHIN)
        except TimeoutError:
            return RequestRefused("the runner is busy and has not answered yet", busy=True)
        except MhoError as error:
            return RequestRefused(str(error))

    def _may_watch(self, client: _Client) -> bool:
        with self._lock:
            if client not in self._watching:
                if len(self._watching) >= WATCHERS:
                    return False
                self._watching.append(client)
        return True
