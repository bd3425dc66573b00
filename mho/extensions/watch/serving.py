"""Serves the page on 127.0.0.1: GET and HEAD at a handful of fixed addresses, and two commands with a token."""

from __future__ import annotations

import contextlib
import hmac
import io
import logging
import math
import re
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from mho.analysis.figures import draw_alone
from mho.errors import InputError, MhoError, QueueError, RunFileError
from mho.extensions.watch.glance import Glance, look, version
from mho.extensions.watch.phone_page import SCRIPT, STYLE, body, page
from mho.running.queue import Queue, queue_path
from mho.running.runner import NoRunnerError, RunnerClient, emergency_stop
from mho.runs import GOING_ON, Figure, RunFile, runs_folder

SIZE = (6.4, 4.6)  # inches
DOTS = 140  # per inch
NEWEST = 100_000  # rows: a page is drawn anew while its run goes on


def draw(path: Path, figure: Figure) -> bytes:
    """Draw a figure of the run file at `path`; `RunFileError` where that cannot be read any more."""
    written = io.BytesIO()
    with RunFile(path) as run:
        drawn = draw_alone(run, figure, SIZE, DOTS, NEWEST)
        drawn.savefig(written, format="png", metadata={"Software": None})
    return written.getvalue()


log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
FRESH = 0.7
"""Time for which a read state is reused, s; several readers cost no more than one."""

REDRAWN = 3.0
"""Time after which the pictures of a run that goes on are drawn anew, s."""

LONGEST = 4096
"""Bytes of a command; its bench is the longest there is."""

TOKEN_BYTES = 16  # as many guesses as nobody makes
ACTS = ("stop", "pause")
PAUSED = "paused from mho watch"
NOT_LOCAL, NOTHING = "ask for localhost", "there is nothing here"
NO_TOKEN = "this page is read only without the token; open the whole address that mho watch printed for STOP and Pause"

NAMES_OF_LOOPBACK = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d+)?", re.IGNORECASE)

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class WatchServer:
    """The page about a runs folder; a context manager that serves in threads of its own.

    Parameters
    ----------
    folder : path
        Where the run files and the queue are.
    port : int
        On 127.0.0.1; 0 takes any that is free.

    Attributes
    ----------
    address : str
        What a browser opens to look.
    commanding_address : str
        The same with a token, new for each server, without which no command is taken.

    Raises
    ------
    InputError
        The port cannot be had.
    """

    def __init__(self, folder: Path, port: int = 8080) -> None:
        try:
            self._server = _Server((LOOPBACK, port), _Handler)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"port {port} cannot be had ({reason}); name another with --port") from None
        self._server.view = View(folder)
        self._server.token = secrets.token_urlsafe(TOKEN_BYTES)
        self.address = f"http://{LOOPBACK}:{self._server.server_address[1]}/"
        self.commanding_address = f"{self.address}#token={self._server.token}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def watch(port: int, tell: Callable[[str, str], None], folder: Path | None = None) -> None:
    """Serve the page until Ctrl-C; `tell` is given its addresses, to look and to command.

    Errors as `WatchServer`, and for a missing `folder`.
    """
    if folder is not None and not folder.is_dir():
        raise InputError(f"there is no folder of runs {folder}; check --runs")
    with WatchServer(runs_folder(folder), port) as server, contextlib.suppress(KeyboardInterrupt):
        tell(server.address, server.commanding_address)
        while True:
            time.sleep(60.0)  # Ctrl-C ends it on Windows, too, where it does not end the wait for an event


class View:
    """Caches the state and the pictures: reads again on a request when the state is stale, and draws each picture once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._glance = Glance(0.0)
        self._looked = self._pictured = -math.inf
        self._drawn: dict[str, tuple[str, bytes]] = {}

    def answer(self, path: str) -> tuple[str, bytes] | None:
        """Return kind and content of what is at `path`; None when nothing is."""
        match path:
            case "/style.css":
                return "text/css; charset=utf-8", STYLE.encode()
            case "/script.js":
                return "text/javascript; charset=utf-8", SCRIPT.encode()
            case "/" | "/body":
                text = (page if path == "/" else body)(self._look())
                return "text/html; charset=utf-8", text.encode("utf-8", "backslashreplace")
            case _ if path.endswith(".png"):
                drawn = self._draw(path[1:].removesuffix(".png"))
                return None if drawn is None else ("image/png", drawn)
            case _:
                return None

    def command(self, act: str, bench: str) -> tuple[HTTPStatus, str]:
        """Carry out a command on a bench that has a queue here; return a sentence that says what came of it."""
        path = queue_path(self._folder)
        known = _benches(path)
        if known is not None and bench not in known:
            there = f"it has {', '.join(known)}" if known else "it has none"
            return HTTPStatus.NOT_FOUND, f"bench {bench!r} has no queue in this folder; {there}"
        try:
            if act == "stop":
                return HTTPStatus.OK, emergency_stop(path, bench)
            return HTTPStatus.OK, self._pause(path, bench)
        except MhoError as error:  # of a bench that is not confirmed safe, too
            return HTTPStatus.INTERNAL_SERVER_ERROR, str(error)

    def _pause(self, path: Path, bench: str) -> str:
        goes_on = "mho queue resume on its machine lets it go on"
        try:
            state = RunnerClient(path, bench).pause()
        except NoRunnerError:
            with Queue(path) as queue:
                queue.hold(bench, PAUSED)
            return f"the queue of {bench} is held; no runner was there. {goes_on}"
        job = (
            "no job is running"
            if state.job is None
            else f"job {state.job} pauses at its next safe point, outputs idle"
        )
        return f"{job}, and no other is started on {bench}; {goes_on}"

    def _look(self) -> Glance:
        with self._lock:
            if time.monotonic() - self._looked > FRESH:
                self._glance = self._paced(look(self._folder))
                self._looked = time.monotonic()
            return self._glance

    def _paced(self, glance: Glance) -> Glance:
        """Leave the pictures of a run that goes on as they are for a while: the measuring machine has more to do."""
        run, before, now = glance.run, self._glance.run, time.monotonic()
        if run is None or before is None or before.path != run.path or run.status not in GOING_ON:
            self._pictured = -math.inf
        elif run.pictures.keys() == before.pictures.keys() and now - self._pictured < REDRAWN:
            return replace(glance, run=replace(run, pictures=before.pictures))
        else:
            self._pictured = now
        return glance

    def _draw(self, kind: str) -> bytes | None:
        run = self._look().run
        if run is None or (picture := run.pictures.get(kind)) is None:
            return None
        with self._lock:
            current = version(run)
            known, drawn = self._drawn.get(kind, ("", b""))
            if known != current:
                try:
                    drawn = draw(run.path, picture.figure)
                except RunFileError:
                    return None  # gone since
                self._drawn[kind] = current, drawn
            return drawn


def _benches(path: Path) -> list[str] | None:
    """Return the benches that have a queue; None where it cannot be read, which must not keep a bench from its stop."""
    try:
        if not path.exists():  # opening a queue would make it
            return []
        with Queue(path) as queue:
            return [lane.bench for lane in queue.lanes()]
    except QueueError:
        return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # On Windows it would let two programs have one port.
    allow_reuse_address = not hasattr(socket, "SO_EXCLUSIVEADDRUSE")
    view: View
    token: str

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log an error, unless the reader has merely gone away."""
        if not isinstance(sys.exception(), OSError):
            log.exception("a request to mho watch failed")


class _Handler(BaseHTTPRequestHandler):
    server_version = "mho"
    sys_version = ""
    timeout = 20.0  # s; an idle connection must not keep its thread
    server: _Server

    def do_GET(self) -> None:
        self._answer(with_content=True)

    def do_HEAD(self) -> None:
        self._answer(with_content=False)

    def do_POST(self) -> None:
        self.close_connection = True  # what it sent beside may not have been read
        self._say(*self._commanded())

    def _commanded(self) -> tuple[HTTPStatus, str]:
        """Carry out a command with the token, from this page or from no page; return what came of it."""
        if not self._is_local():
            return HTTPStatus.FORBIDDEN, NOT_LOCAL
        act = self.path[1:]
        if act not in ACTS:
            return HTTPStatus.NOT_FOUND, NOTHING
        # An Authorization header lets no form of another page, and no script without this server's word, send it.
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        right = hmac.compare_digest(given.encode("utf-8", "replace"), self.server.token.encode())
        own_page = self.headers.get("Origin") in (None, f"http://{self.headers['Host']}")
        if not (right and own_page):
            return HTTPStatus.FORBIDDEN, NO_TOKEN
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal() and len(length) < 9 and int(length) <= LONGEST):
            return HTTPStatus.BAD_REQUEST, f"name the bench in the body, of {LONGEST} bytes at most"
        return self.server.view.command(act, self.rfile.read(int(length)).decode("utf-8", "replace"))

    def _is_local(self) -> bool:
        # A page elsewhere may have its name resolve to 127.0.0.1, and would then read this one.
        return NAMES_OF_LOOPBACK.fullmatch(self.headers.get("Host", "")) is not None

    def _answer(self, *, with_content: bool) -> None:
        answer = self.server.view.answer(self.path.partition("?")[0]) if self._is_local() else None
        if answer is not None:
            self._send(HTTPStatus.OK, *answer, with_content)
        elif self._is_local():
            self._say(HTTPStatus.NOT_FOUND, NOTHING, with_content=with_content)
        else:
            self._say(HTTPStatus.FORBIDDEN, NOT_LOCAL, with_content=with_content)

    def _say(self, status: HTTPStatus, sentence: str, *, with_content: bool = True) -> None:
        content = sentence.encode("utf-8", "backslashreplace")
        self._send(status, "text/plain; charset=utf-8", content, with_content)

    def _send(self, status: HTTPStatus, kind: str, content: bytes, with_content: bool) -> None:
        self.send_response(status)
        # A picture has another address when it changes; fetched anew with each second's page it would flicker.
        keep = "private, max-age=600" if kind == "image/png" else "no-store"
        own = {"Content-Type": kind, "Content-Length": str(len(content)), "Cache-Control": keep}
        for name, value in {**own, **HEADERS}.items():
            self.send_header(name, value)
        self.end_headers()
        if with_content:
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing on the terminal."""
