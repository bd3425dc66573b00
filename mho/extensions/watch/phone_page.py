"""Serves the page on 127.0.0.1: it answers GET and HEAD at a handful of fixed addresses, and nothing else."""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import math
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from mho.analysis.figures import draw_alone, figures_of, map_figure
from mho.analysis.reports import Convergence, duration_text, read_bench, read_convergence
from mho.errors import InputError, MhoError, QueueError, RunFileError
from mho.escaping import html as escape
from mho.gui import first_choice
from mho.running.queue import ACTIVE, ENDED, Job, Lane, Queue, queue_path
from mho.running.runner import NoRunnerError, RunnerClient, RunnerState, as_it_stands
from mho.runs import SUFFIX, Conclusion, Figure, LogEntry, RunFile, Status, outcome_line, runs_folder

ANSWER_WITHIN = 2.0
"""Timeout of a runner's answer to a status request, s."""

MOST_ENDED, MOST_WAITING = 15, 50
"""Jobs on the page."""

LAST_ENTRIES = 8
"""Lines of the log on the page."""


@dataclass(frozen=True)
class BenchLine:
    """The queue of one bench, and its runner: how it stands, why it does not answer, or None when there is none."""

    lane: Lane
    runner: RunnerState | str | None

    @property
    def warning(self) -> str:
        """Outputs that are not confirmed safe, by the queue or its runner; empty when all are."""
        return self.lane.warning or (self.runner.warning if isinstance(self.runner, RunnerState) else "")


@dataclass(frozen=True)
class DrawnFigure:
    """A figure of a run, what it is called, and of how many rows or images it is drawn."""

    figure: Figure
    title: str
    size: int


@dataclass(frozen=True)
class RunGlance:
    """The state of a run, read from its file.

    Attributes
    ----------
    pictures : mapping of DrawnFigure
        As ``figure`` the first of its figures that shows something and is no map, as ``map`` the last image of the map that
        is shown first; as far as there are any.
    trouble : str
        Why no more is known; then all else but `path` is empty.
    """

    path: Path
    title: str = ""
    status: Status | None = None
    reason: str = ""
    simulated: bool = False
    convergence: Convergence | None = None
    pictures: Mapping[str, DrawnFigure] = field(default_factory=dict)
    log: tuple[LogEntry, ...] = ()
    trouble: str = ""
    conclusion: Conclusion | None = None


@dataclass(frozen=True)
class Glance:
    """The state of everything at one moment; `left_out` counts the jobs that are not among `jobs`."""

    when: float
    lines: tuple[BenchLine, ...] = ()
    jobs: tuple[Job, ...] = ()
    left_out: int = 0
    run: RunGlance | None = None
    trouble: str = ""


def look(folder: Path) -> Glance:
    """Read the queue, the runners and the current run of a runs folder."""
    jobs: Sequence[Job] = ()
    lines: tuple[BenchLine, ...] = ()
    trouble, count = "", 0
    if (place := queue_path(folder)).exists():  # opening a queue would make it
        try:
            with Queue(place) as queue:
                jobs = [as_it_stands(job) for job in queue.shown(ended=MOST_ENDED, waiting=MOST_WAITING)]
                count = sum(total.count for total in queue.totals())
                lines = tuple(BenchLine(lane, _ask(place, lane.bench)) for lane in queue.lanes())
        except QueueError as error:
            trouble = str(error)
    ended = [job for job in jobs if job.status in ENDED]
    shown = (*jobs[len(ended) :], *reversed(ended))
    path = _current(folder, jobs)
    run = None if path is None else look_at_run(path)
    return Glance(time.time(), lines, shown, max(count - len(shown), 0), run, trouble)


def look_at_run(path: Path) -> RunGlance:
    """Read a run file, whatever its state."""
    try:
        with RunFile(path) as run:
            return RunGlance(
                path,
                run.title,
                run.status,
                run.reason,
                read_bench(run).preset is not None,
                read_convergence(run),
                dict(_pictures(run)),
                tuple(run.log()[-LAST_ENTRIES:]),
                conclusion=run.conclusion,
            )
    except RunFileError as error:
        return RunGlance(path, trouble=str(error))


def _pictures(run: RunFile) -> Iterator[tuple[str, DrawnFigure]]:
    for figure in figures_of(run):
        if not (figure.is_image or figure.array):
            size = run.length(figure.table) if figure.table else len(run.map_times(figure.maps[0]))
            if size:
                yield "figure", DrawnFigure(figure, figure.heading, size)
                break
    name = first_choice(run)
    if name and (images := len(run.map_times(name))):
        yield "map", DrawnFigure(map_figure(name), f"{name}, image {images}", images)


def version(glance: RunGlance) -> str:
    """Return a text that changes whenever the pictures of the run do."""
    forecast = None if glance.convergence is None else glance.convergence.rho
    drawn = [(kind, one.figure.name, one.size) for kind, one in glance.pictures.items()]
    text = f"{glance.path} {drawn} {forecast}"
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:16]


def _ask(queue: Path, bench: str) -> RunnerState | str | None:
    try:
        return RunnerClient(queue, bench).status(ANSWER_WITHIN)
    except NoRunnerError:
        return None
    except MhoError as error:
        return str(error)


def _current(folder: Path, jobs: Sequence[Job]) -> Path | None:
    """Return the file of the run in progress; without one, of the last that was begun."""
    for job in jobs:
        if job.status in ACTIVE and job.run is not None and job.run.exists():
            return job.run
    newest: tuple[float, Path | None] = (0.0, None)
    with contextlib.suppress(OSError):
        for path in folder.glob(f"[!.]*{SUFFIX}"):
            with contextlib.suppress(OSError):
                newest = max(newest, (path.stat().st_mtime, path), key=lambda one: one[0])
    return newest[1]


STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --faint: #5c5c5c; --ground: #fff; --card: #f4f5f7; --rule: #d5d8dc; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ececec; --faint: #a9a9a9; --ground: #17191c; --card: #22262b; --rule: #3a3f46; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 12px; max-width: 1180px; font: 15px/1.45 system-ui, sans-serif;
  color: var(--ink); background: var(--ground); overflow-wrap: anywhere; }
h1 { font-size: 18px; margin: 0 0 4px; } h2 { font-size: 15px; margin: 18px 0 6px; }
p { margin: 4px 0; } .faint { color: var(--faint); } .bad { color: light-dark(#b54700, #ff8a4c); font-weight: 600; }
.badge { display: inline-block; padding: 1px 9px; border-radius: 4px; color: #fff; font-weight: 700; font-size: 13px; }
.running, .paused { background: #0072b2; } .finished { background: #00795a; }
.failed, .unreadable { background: #b54700; } .aborted, .interrupted, .held { background: #8a5a00; }
.queued, .skipped, .idle { background: #5c5c5c; } .simulated { background: #7a3e9d; } .making { background: #b54700; }
.badge.unsafe { background: #c8102e; }
p.unsafe { background: #c8102e; color: #fff; font-weight: 700; padding: 8px 12px; border-radius: 4px; }
progress { width: 100%; height: 14px; }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 570px)); gap: 12px; }
.pictures img { width: 100%; height: auto; background: #fff; border-radius: 6px; border: 1px solid var(--rule); }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: 4px 10px 4px 0; border-bottom: 1px solid var(--rule); vertical-align: top; }
th, td { white-space: nowrap; overflow-wrap: normal; }
th { color: var(--faint); font-weight: 500; } td.text { white-space: normal; min-width: 160px; }
@media (max-width: 640px) {  /* a phone: a job is a line or two, and why it failed stands below it */
  tr { display: flex; flex-wrap: wrap; gap: 0 10px; padding: 4px 0; border-bottom: 1px solid var(--rule); }
  th { display: none; } td { border: 0; padding: 2px 0; } td:empty { display: none; } td.text { flex-basis: 100%; }
}
pre { background: var(--card); padding: 8px; border-radius: 6px; white-space: pre-wrap; margin: 0; font-size: 13px; }
#stale { position: sticky; top: 0; background: #b54700; color: #fff; padding: 6px 10px; border-radius: 4px; }
"""

SCRIPT = """
"use strict";
const stale = document.getElementById("stale"), body = document.getElementById("body");
async function look() {
  try {
    const answer = await fetch("body", {cache: "no-store"});
    if (!answer.ok) throw new Error(answer.status);
    const text = await answer.text();
    if (text !== look.last) { body.innerHTML = text; look.last = text; }
    stale.hidden = true;
  } catch { stale.hidden = false; }
  setTimeout(look, 1000);
}
setTimeout(look, 1000);
"""

_HEAD = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>mho watch</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<noscript><meta http-equiv="refresh" content="3"></noscript>
<link rel="icon" href="data:,"><link rel="stylesheet" href="style.css"></head><body>
<p id="stale" hidden>mho watch does not answer; this is how it stood last</p><main id="body">"""
_TAIL = """</main><script src="script.js"></script></body></html>"""


def page(glance: Glance) -> str:
    """Return the whole page."""
    return f"{_HEAD}{body(glance)}{_TAIL}"


def body(glance: Glance) -> str:
    """Return the part that changes."""
    parts = [_unsafe(line.warning) for line in glance.lines]
    parts += [_trouble(text) for text in (*(line.lane.on_word for line in glance.lines), glance.trouble)]
    parts += [_line(line) for line in glance.lines]
    parts.append(
        _run(glance.run) if glance.run else '<h1>mho</h1><p class="faint">no run in this folder yet</p>'
    )
    parts.append(_queue(glance.jobs, glance.left_out))
    return "".join(parts)


def _badge(word: str) -> str:
    return f'<span class="badge {escape(word)}">{escape(word.upper())}</span>'


def _trouble(text: str) -> str:
    return f'<p class="bad">{escape(text)}</p>' if text else ""


def _unsafe(text: str) -> str:
    return f'<p class="unsafe" role="alert">{escape(text)}</p>' if text else ""


def _line(line: BenchLine) -> str:
    state = line.runner if isinstance(line.runner, RunnerState) else None
    silent = line.runner if isinstance(line.runner, str) else "no runner"
    state_badge = _badge(state.state) if state else f'<span class="faint">{escape(silent)}</span>'
    is_held = line.lane.held or bool(state and state.held)
    reason = line.lane.reason or (state.reason if state else "")
    badges = f"{_badge('unsafe') if line.warning else ''} {state_badge} {_badge('held') if is_held else ''}"
    return (
        f"<p>bench <b>{escape(line.lane.bench)}</b> {badges} "
        f'<span class="faint">{escape(reason)}</span></p>{_progress(state)}'
    )


def _progress(state: RunnerState | None) -> str:
    if state is None or state.job is None:
        return ""
    parts = [f"job {state.job}"]
    if state.total:
        parts.append(f"{state.stage} {state.done} of {state.total}")
    if state.seconds_left is not None:
        parts.append(f"about {duration_text(state.seconds_left)} left")
    bar = f'<progress max="{state.total}" value="{state.done}"></progress>' if state.total else ""
    return f"<p>{escape(', '.join(parts))}</p>{bar}"


def _run(run: RunGlance) -> str:
    name = escape(run.path.name)
    if run.trouble:
        return f"<h1>{name}</h1>{_trouble(run.trouble)}"
    badges = [_badge(str(run.status))] + [_badge("simulated")] * run.simulated
    parts = [f"<h1>{escape(run.title)}</h1><p>{' '.join(badges)} <span class='faint'>{name}</span></p>"]
    parts.append(_outcome(run))
    shown = run.convergence
    if shown is not None and len(shown.cycle):
        error = shown.relative_error[-1]
        known = "" if math.isnan(error) else f", relative error {error:.2e}"
        parts.append(f"<p>{len(shown.cycle)} cycles, residual {shown.residual[-1]:.2e}{known}</p>")
    parts.append('<div class="pictures">')
    parts += [
        f'<img src="{kind}.png?{version(run)}" alt="{escape(one.title)}" width="896" height="644">'
        for kind, one in run.pictures.items()
    ]
    parts.append(f"</div>{_log(run.log)}")
    return "".join(parts)


def _outcome(run: RunGlance) -> str:
    """Return how a run ended, and its warnings: in red where it failed, measured nothing or left its bench in doubt."""
    conclusion = run.conclusion
    text = outcome_line(run.status or "", run.reason, conclusion, named=False)
    good = run.status is Status.FINISHED and (
        conclusion is None or (conclusion.measured and not conclusion.unsafe)
    )
    line = f"<p>{escape(text)}</p>" if good and text else _trouble(text)
    warnings = () if conclusion is None else conclusion.warnings
    return line + "".join(f'<p class="faint">{escape(one)}</p>' for one in warnings)


def _log(entries: Iterable[LogEntry]) -> str:
    lines = "\n".join(
        escape(f"{entry.time:9.1f} s  {'' if entry.level == 'INFO' else entry.level + ': '}{entry.message}")
        for entry in entries
    )
    return f"<h2>Log</h2><pre>{lines}</pre>" if lines else ""


def _queue(jobs: Iterable[Job], left_out: int) -> str:
    rows = "".join(_job(job) for job in jobs)
    if not rows:
        return '<h2>Queue</h2><p class="faint">no jobs</p>'
    names = ("job", "status", "procedure", "bench", "began", "took", "")
    heads = "".join(f"<th>{name}</th>" for name in names)
    more = f'<p class="faint">and {left_out} more: mho queue list</p>' if left_out else ""
    return f'<h2>Queue</h2><div class="wide"><table><tr>{heads}</tr>{rows}</table></div>{more}'


def _job(job: Job) -> str:
    began = "" if job.started is None else f"{time.strftime('%d %b %H:%M', time.localtime(job.started))}"
    span = None if job.started is None or job.ended is None else job.ended - job.started
    took = "" if span is None else duration_text(span)
    if job.ended is None and job.started is None and job.estimate is not None:
        took = f"expected {duration_text(job.estimate)}"
    cells = (str(job.id), job.order.procedure, job.order.bench, began, took)
    number, *others = (f"<td>{escape(cell)}</td>" for cell in cells)
    outcome = f"<td class='text'>{escape(job.outcome)}</td>"
    return f"<tr>{number}<td>{_badge(str(job.status))}</td>{''.join(others)}{outcome}</tr>"


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

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def watch(port: int, tell: Callable[[str], None], folder: Path | None = None) -> None:
    """Serve the page until Ctrl-C; `tell` is given its address. Errors as `WatchServer`, and for a missing `folder`."""
    if folder is not None and not folder.is_dir():
        raise InputError(f"there is no folder of runs {folder}; check --runs")
    with WatchServer(runs_folder(folder), port) as server, contextlib.suppress(KeyboardInterrupt):
        tell(server.address)
        while True:
            time.sleep(60.0)  # Ctrl-C ends it on Windows, too, where it does not end the wait for an event


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
                drawn = self._draw(path[1:].removesuffix(".png"))
                return None if drawn is None else ("image/png", drawn)
            case _:
                return None

    def _look(self) -> Glance:
        with self._lock:
            if time.monotonic() - self._looked > FRESH:
                self._glance = look(self._folder)
                self._looked = time.monotonic()
            return self._glance

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


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # On Windows it would let two programs have one port.
    allow_reuse_address = not hasattr(socket, "SO_EXCLUSIVEADDRUSE")
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
        answer = self.server.view.answer(self.path.partition("?")[0])
        if answer is None:
            self._send(
                HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", b"there is nothing here", with_content
            )
        else:
            self._send(HTTPStatus.OK, *answer, with_content)

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
