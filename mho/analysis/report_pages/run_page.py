"""The page about one run: what it was, how it ended, what came out, and all that it takes to repeat it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from mho.analysis.documents import (
    BAD,
    DIM,
    DOUBTFUL,
    GOOD,
    PERSONAL,
    Block,
    Document,
    Facts,
    Heading,
    Paragraph,
    Pictures,
    Span,
    Words,
    grid,
    map_texts,
    without_folders,
)
from mho.analysis.report_pages.run_contents import contents, log_entries, of_log
from mho.analysis.report_pages.run_figures import run_pictures
from mho.analysis.report_pages.run_record import parameters, record, repeating
from mho.analysis.report_pages.run_results import certificate, cycles, programming, results, worth
from mho.analysis.reports import Summary, duration_text, summarise
from mho.errors import RunFileError
from mho.runs import GOING_ON, RunFile, Status, Verdict, Verification, status_words, verify
from mho.runs.index import read_card
from mho.runs.integrity import bytes_to_verify
from mho.toml import load_toml

VERIFIED_BYTES = 256 << 20
"""Size of its data up to which a page says whether a file is whole: the check reads all of them."""

CommandOf = Callable[[RunFile], str]
"""Returns the command that starts a run anew; "" where there is none."""

TONES = {
    Status.FINISHED: GOOD,
    Status.FAILED: BAD,
    Status.ABORTED: DOUBTFUL,
    Status.INTERRUPTED: DOUBTFUL,
    Status.RUNNING: DOUBTFUL,
    Status.PAUSED: DOUBTFUL,
}


def run_document(path: Path, *, personal: bool = False, command_of: CommandOf | None = None) -> Document:
    """Return the page about the run in a file, however the run ended.

    Parameters
    ----------
    personal : bool
        Show folders, user, host, command line and changes to the code too.
    command_of : callable, optional
        Returns the command that starts a run anew.

    Raises
    ------
    RunFileError
        The file is no run file, or damaged.
    """
    with RunFile(path) as run:
        summary = summarise(run)
        entries = log_entries(run)
        command = command_of(run) if command_of else ""
        blocks: list[Block] = [
            Paragraph(state(run, summary), _tone(summary)),
            _facts(run, summary, personal),
            *_warnings(summary),
            *results(run, summary),
            *certificate(run.summary, summary),
            *worth(run.summary),
            *_figures(run),
            *programming(summary),
            *cycles(run),
            *parameters(run),
            *contents(run),
            *of_log(entries),
            *record(run, personal),
            *repeating(run, summary, command, personal),
            *_checks(path, run),
        ]
    subject = f"Run of {summary.procedure}, {summary.status}; {path.name}"
    document = Document(summary.title or path.name, tuple(blocks), subject)
    return document if personal else map_texts(document, without_folders)


def state(run: RunFile, summary: Summary) -> Words:
    """Return how a run stands: in the present for one that goes on, and as of when."""
    status = status_words(summary.status, summary.conclusion)
    words: list[str | Span] = [Span(status, _tone(summary) or GOOD), summary.outcome.removeprefix(status)]
    if summary.status in GOING_ON:
        words.append(f". It is still being written; this is its file as of {last_sign(run)}.")
    elif summary.status is Status.INTERRUPTED:
        words.append(f". Its writer is gone since {last_sign(run)}; what it had written until then is here.")
    elif summary.status is not Status.FINISHED:
        words.append(". What it had measured until then is here.")
    return tuple(words)


def last_sign(run: RunFile) -> str:
    """Return when a run's writer was last heard of, in the run's own time zone."""
    zone = run.start_time.tzinfo or UTC
    return f"{datetime.fromtimestamp(run.last_sign, zone):%Y-%m-%d %H:%M:%S %z}"


def _tone(summary: Summary) -> str:
    if summary.status is not Status.FINISHED:
        return TONES[summary.status]
    conclusion = summary.conclusion
    return DOUBTFUL if conclusion is not None and (conclusion.unsafe or not conclusion.measured) else ""


def _facts(run: RunFile, summary: Summary, personal: bool) -> Facts:
    bench, chip = (_described(text) for text in (run.bench, run.chip))
    preset = summary.bench.preset
    simulated: Words = (
        (bench or "unknown", " - ", Span("SIMULATED", DOUBTFUL), f", preset {preset or 'by default'}")
        if preset is not None
        else bench or "unknown"
    )
    kept = run.provenance
    rows: list[tuple[str, Words]] = [
        ("file", run.path.name),
        ("run", read_card(run.path).facts.run_id),
        ("procedure", f"{summary.procedure}, version {summary.version}"),
        ("started", f"{summary.start:%Y-%m-%d %H:%M:%S %z}{_took(run)}"),
        ("bench", simulated),
        ("chip", (chip or "unknown") + (f", as {summary.after} left it" if summary.after else "")),
        *((name, label) for name, label in summary.labels.items() if personal or name not in PERSONAL),
        ("cells", run.cells),
        ("seed", "none" if summary.seed is None else str(summary.seed)),
        ("mho", " ".join(filter(None, (kept.get("mho_version", ""), kept.get("git_commit", "")[:12])))),
    ]
    if summary.bench_seconds is not None:
        rows.append(("bench time", duration_text(summary.bench_seconds)))
    return Facts(tuple((name, words) for name, words in rows if words))


def _took(run: RunFile) -> str:
    seconds = run.last_sign - run.start_time.timestamp()
    return f", {'for' if run.status in GOING_ON else 'took'} {duration_text(max(seconds, 0.0))}"


def _described(text: str) -> str:
    """Return name and description that a bench file or chip map gives itself; "" where it cannot be read."""
    try:
        found = load_toml(text, "a file", RunFileError)
    except RunFileError:
        return ""
    return ", ".join(filter(None, (str(found.get(name, "")) for name in ("name", "description"))))


def _warnings(summary: Summary) -> Iterator[Block]:
    if summary.warnings or summary.concluding_warnings:
        yield Heading("Warnings", 2, "warnings")
        rows = [(f"{one.time:.1f} s", Span(one.level, BAD), one.message) for one in summary.warnings]
        rows += [("at the end", Span("WARNING", BAD), text) for text in summary.concluding_warnings]
        yield grid(("after", "level", "message"), rows, caption="Warnings", most=100, of="warnings")


def _figures(run: RunFile) -> Iterator[Block]:
    drawn, note = run_pictures(run)
    yield Heading("Figures", 2, "figures")
    if drawn:
        yield Pictures(drawn)
    if note or not drawn:
        yield Paragraph(note or "Nothing was declared, and nothing is there to draw.", DIM)


def _checks(path: Path, run: RunFile) -> Iterator[Block]:
    """Say whether the file is whole and as its run wrote it."""
    yield Heading("Checks", 2, "checks")
    size = bytes_to_verify(path)
    if size > VERIFIED_BYTES:
        words: Words = (
            f"Not verified: its data are {size / 1e9:.1f} GB, and all of them would be read. To check it: ",
            Span(f"mho verify {path.name}", "code"),
        )
        yield Paragraph(words, DOUBTFUL)
    else:
        yield from verdict(verify(path))
    yield Facts((("schema", f"{run.schema}, HDF5 in the shape of NeXus (NXentry)"),))


SAID = {
    Verdict.SOUND: "every checksum is right, and the file is as its run wrote it",
    Verdict.RUNNING: "the file is being written",
    Verdict.INTERRUPTED: "what is there can be read; the writer has not closed the file",
    Verdict.CHANGED: "the file was changed after its run",
    Verdict.DAMAGED: "a part of the file cannot be read",
    Verdict.UNREADABLE: "the file cannot be read",
}


def verdict(found: Verification) -> Iterator[Block]:
    """Say what the verification of a file found."""
    tone = {Verdict.SOUND: GOOD, Verdict.CHANGED: BAD, Verdict.DAMAGED: BAD, Verdict.UNREADABLE: BAD}
    yield Paragraph((Span(str(found.verdict)), f": {SAID[found.verdict]}"), tone.get(found.verdict, DOUBTFUL))
    if found.findings:
        yield grid(
            ("finding",), [(one,) for one in found.findings], caption="Findings", most=20, of="findings"
        )
