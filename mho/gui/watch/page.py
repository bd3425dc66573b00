"""The page as HTML. All text from a file or a runner passes through `mho.escaping.html`."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable

from mho.analysis.reports import duration_text
from mho.escaping import html as escape
from mho.gui.watch.state import BenchLine, Glance, RunGlance, version
from mho.running.queue import Job
from mho.running.runner import RunnerState
from mho.runs import LogEntry, Status, outcome_line

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
    told = _badge(state.state) if state else f'<span class="faint">{escape(silent)}</span>'
    held = line.lane.held or bool(state and state.held)
    reason = line.lane.reason or (state.reason if state else "")
    badges = f"{_badge('unsafe') if line.warning else ''} {told} {_badge('held') if held else ''}"
    return (
        f"<p>bench <b>{escape(line.lane.bench)}</b> {badges} "
        f'<span class="faint">{escape(reason)}</span></p>{_progress(state)}'
    )


def _progress(state: RunnerState | None) -> str:
    if state is None or state.job is None:
        return ""
    told = [f"job {state.job}"]
    if state.total:
        told.append(f"{state.stage} {state.done} of {state.total}")
    if state.seconds_left is not None:
        told.append(f"about {duration_text(state.seconds_left)} left")
    bar = f'<progress max="{state.total}" value="{state.done}"></progress>' if state.total else ""
    return f"<p>{escape(', '.join(told))}</p>{bar}"


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
    pictures = []
    if run.figure:
        pictures.append(("figure", run.figure_title))
    if run.map:
        pictures.append(("map", f"{run.map}, image {run.images}"))
    parts.append('<div class="pictures">')
    parts += [
        f'<img src="{name}.png?{version(run)}" alt="{escape(text)}" width="896" height="644">'
        for name, text in pictures
    ]
    parts.append(f"</div>{_log(run.log)}")
    return "".join(parts)


def _outcome(run: RunGlance) -> str:
    """Return how a run ended, and its warnings: in red where it failed, measured nothing or left its bench in doubt."""
    conclusion = run.conclusion
    told = outcome_line(run.status or "", run.reason, conclusion, named=False)
    good = run.status is Status.FINISHED and (
        conclusion is None or (conclusion.measured and not conclusion.unsafe)
    )
    line = f"<p>{escape(told)}</p>" if good and told else _trouble(told)
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
