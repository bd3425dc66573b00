"""Writes the page: what was read, as HTML that is escaped, with its style and its script."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from datetime import datetime

from mho.analysis.reports import duration_text
from mho.escaping import html as escape
from mho.extensions.watch.glance import BenchLine, Glance, RunGlance, version
from mho.running.queue import Job
from mho.running.runner import RunnerState
from mho.runs import GOING_ON, LogEntry, Status, outcome_line

STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --faint: #5c5c5c; --ground: #fff; --card: #f4f5f7; --rule: #d5d8dc; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ececec; --faint: #a9a9a9; --ground: #17191c; --card: #22262b; --rule: #3a3f46; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 12px; max-width: 1180px; font: 15px/1.45 system-ui, sans-serif;
  color: var(--ink); background: var(--ground); overflow-wrap: break-word; }
h1 { font-size: 18px; margin: 0 0 4px; } h2 { font-size: 15px; margin: 18px 0 6px; }
p { margin: 4px 0; } .faint { color: var(--faint); } .bad { color: light-dark(#b54700, #ff8a4c); font-weight: 600; }
.badge { display: inline-block; padding: 1px 9px; border-radius: 4px; color: #fff; font-weight: 700; font-size: 13px; }
.running, .paused { background: #0072b2; } .finished { background: #00795a; }
.failed, .unreadable { background: #b54700; } .aborted, .interrupted, .held { background: #8a5a00; }
.queued, .skipped, .idle { background: #5c5c5c; } .simulated { background: #7a3e9d; } .making { background: #b54700; }
.SAFE { background: #00795a; } .LIVE { background: #8a5a00; }
.UNSAFE { background: #c8102e; } .UNKNOWN { background: #5c5c5c; }
p.unsafe { background: #c8102e; color: #fff; font-weight: 700; padding: 8px 12px; border-radius: 4px; }
.verdict { background: var(--card); border-left: 5px solid var(--rule); border-radius: 4px; padding: 4px 12px;
  margin: 6px 0; }
.verdict.good { border-left-color: #00795a; } .verdict.doubtful { border-left-color: #b54700; }
#acts { position: sticky; top: 0; background: var(--ground); padding: 4px 0; } #acts:empty { display: none; }
button { font: inherit; font-weight: 700; padding: 8px 18px; margin: 2px 8px 2px 0; border-radius: 4px; color: var(--ink);
  background: var(--card); border: 1px solid var(--faint); }
button.stop { background: #c8102e; border-color: #c8102e; color: #fff; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 14px; margin: 0; } dt { color: var(--faint); }
dd { margin: 0; overflow-wrap: break-word; min-width: 0; }
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
const acts = document.getElementById("acts"), answer = document.getElementById("answer");
// Behind the #, the token is sent to nobody but with a command.
const token = new URLSearchParams(location.hash.slice(1)).get("token");
addEventListener("hashchange", () => location.reload());
async function look() {
  try {
    const answer = await fetch("body", {cache: "no-store"});
    if (!answer.ok) throw new Error(answer.status);
    const text = await answer.text();
    if (text !== look.last) { body.innerHTML = text; look.last = text; }
    stale.hidden = true;
  } catch { stale.hidden = false; }
  offer();
  setTimeout(look, 1000);
}
// The buttons are no part of what is written anew each second: one would be gone from under a finger.
function offer() {
  const benches = [...body.querySelectorAll("[data-bench]")].map((one) => one.dataset.bench);
  if (!token || JSON.stringify(benches) === offer.last) return;
  offer.last = JSON.stringify(benches);
  acts.replaceChildren(...benches.flatMap((bench) => [["stop", "STOP"], ["pause", "Pause"]].map(([act, word]) => {
    const button = document.createElement("button");
    button.className = act;
    button.textContent = benches.length > 1 ? `${word} ${bench}` : word;
    button.onclick = () => command(act, bench);
    return button;
  })));
}
async function command(act, bench) {
  answer.className = "";
  answer.textContent = `${act} ${bench}: sent`;
  try {
    const request = {method: "POST", headers: {Authorization: `Bearer ${token}`}, body: bench};
    const answered = await fetch(act, request);
    answer.className = answered.ok ? "" : "unsafe";
    answer.textContent = await answered.text();
  } catch {
    answer.className = "unsafe";
    answer.textContent = `mho watch does not answer: nothing is known of ${act} ${bench}; go to the bench`;
  }
}
offer();
setTimeout(look, 1000);
"""

_HEAD = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>mho watch</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<noscript><meta http-equiv="refresh" content="3"></noscript>
<link rel="icon" href="data:,"><link rel="stylesheet" href="style.css"></head><body>
<p id="stale" hidden>mho watch does not answer; this is how it stood last</p>
<div id="acts"></div><p id="answer" role="status"></p><main id="body">"""
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
    safety, bench = line.safety, escape(line.lane.bench)
    light = escape(safety.in_short(datetime.now()))
    return (
        f'<p data-bench="{bench}"><span class="badge {safety.verdict.name}">{light}</span> bench <b>{bench}</b> '
        f"{state_badge} {_badge('held') if is_held else ''} "
        f'<span class="faint">{escape(reason)}</span></p><p class="faint">{escape(safety.text)}</p>{_progress(state)}'
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
    parts = [f"<h1>{escape(run.title)}</h1>", _outcome(run, " ".join(badges))]
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
    parts.append("</div>")
    parts.append(_pairs("Differs from the defaults", run.asked))
    parts.append(_pairs("What was run on what", (*run.facts, ("file", run.path.name))))
    parts.append(_log(run.log))
    return "".join(parts)


def _pairs(title: str, rows: Iterable[tuple[str, str]]) -> str:
    pairs = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in rows if text)
    return f"<h2>{escape(title)}</h2><dl>{pairs}</dl>" if pairs else ""


def _outcome(run: RunGlance, badges: str) -> str:
    """Return how a run ended, and its warnings: in red where it failed, measured nothing or left its bench in doubt."""
    conclusion = run.conclusion
    text = outcome_line(run.status or "", run.reason, conclusion, named=False)
    good = run.status is Status.FINISHED and (
        conclusion is None or (conclusion.measured and not conclusion.unsafe)
    )
    said = "" if not text else f"<p>{escape(text)}</p>" if good else _trouble(text)
    warnings = () if conclusion is None else conclusion.warnings
    said += "".join(f'<p class="faint">{escape(one)}</p>' for one in warnings)
    tone = "" if run.status in GOING_ON else "good" if good else "doubtful"
    return f'<div class="verdict {tone}"><p>{badges}</p>{said}</div>'


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
