"""Serves the page on 127.0.0.1: it answers GET and HEAD at a handful of fixed addresses, and nothing else."""

from __future__ import annotations

import contextlib
import logging
import re
import sys
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mho.errors import InputError, RunFileError
from mho.gui.watch.page import SCRIPT, STYLE, body, page
from mho.gui.watch.pictures import figure_picture, map_picture
from mho.gui.watch.state import Glance, look, version
from mho.runs import runs_folder

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
FRESH = 0.7
"""Time for which a read state is reused, s; several readers cost no more than one."""

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
        What a browser opens.

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
        self.address = f"http://{LOOPBACK}:{self._server.server_address[1]}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def watch(port: int, tell: Callable[[str], None], folder: Path | None = None) -> None:
    """Serve the page until Ctrl-C; `tell` is given its address. Errors as `WatchServer`, and for a missing `folder`."""
    if folder is not None and not folder.is_dir():
        raise InputError(f"there is no folder of runs {folder}; check --runs")
    with WatchServer(runs_folder(folder), port) as server, contextlib.suppress(KeyboardInterrupt):
        tell(server.address)
        threading.Event().wait()


class View:
    """Caches the state and the pictures: reads again on a request when the state is stale, and draws each picture once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._glance = Glance(0.0)
        self._looked = -FRESH
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
            case "/map.png" | "/figure.png":
                drawn = self._draw(path)
                return None if drawn is None else ("image/png", drawn)
            case _:
                return None

    def _look(self) -> Glance:
        with self._lock:
            if time.monotonic() - self._looked > FRESH:
                self._glance = look(self._folder)
                self._looked = time.monotonic()
            return self._glance

    def _draw(self, path: str) -> bytes | None:
        run = self._look().run
        if run is None:
            return None
        with self._lock:
            wanted = version(run)
            known, drawn = self._drawn.get(path, ("", b""))
            if known != wanted:
                draw, name = (map_picture, run.map) if path == "/map.png" else (figure_picture, run.figure)
                if not name:
                    return None
                try:
                    drawn = draw(run.path, name)
                except RunFileError:
                    return None  # gone since
                self._drawn[path] = wanted, drawn
            return drawn


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    view: View

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

    def _answer(self, *, with_content: bool) -> None:
        # A page elsewhere may have its name resolve to 127.0.0.1, and would then read this one.
        if not NAMES_OF_LOOPBACK.fullmatch(self.headers.get("Host", "")):
            self._send(HTTPStatus.FORBIDDEN, "text/plain; charset=utf-8", b"ask for localhost", with_content)
            return
        found = self.server.view.answer(self.path.partition("?")[0])
        if found is None:
            self._send(
                HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", b"there is nothing here", with_content
            )
        else:
            self._send(HTTPStatus.OK, *found, with_content)

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
