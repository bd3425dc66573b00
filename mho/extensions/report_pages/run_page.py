"""The page about one run: how it ended, what came out, what it was made on, and all that it takes to repeat it."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from mho.analysis.reports import (
    Summary,
    duration_text,
    enclosure_sentence,
    handy_unit,
    name_text,
    parameter_text,
    quantity_text,
    read_convergence,
    read_description,
    summarise,
    with_unit,
    worth_rows,
)
from mho.extensions.report_pages import documents as page
from mho.extensions.report_pages.extracted_parameters import Extracted, extracted
from mho.extensions.report_pages.run_command import command_of
from mho.extensions.report_pages.run_figures import figure_blocks, run_pictures
from mho.procedures import asked_for
from mho.runs import (
    GOING_ON,
    LogEntry,
    RunFile,
    Status,
    Verdict,
    Verification,
    status_words,
    text_hash,
    verify,
)
from mho.runs.index import read_card
from mho.runs.integrity import OF_THE_MOMENT, bytes_to_verify
from mho.toml import toml_value

KEY_NUMBERS = 10  # of a result, beside those with an interval; the others are folded
KEYS = (
    "bits", "certificate.error_bound", "relative_error", "cycles_to_goal", "condition", "forecast_rho",
    "measured_rho", "mvm_wrong", "cells", "cells_failed", "pulses", "joules",
)  # fmt: skip
"""Results of a solve that stand first: what was reached, how fast, and what it cost."""

FIRST_VALUES = 6  # of a list in a result
LIST_ROWS = 50
HEAD_CYCLES, TAIL_CYCLES = 20, 5
ELSEWHERE = ("certificate.", "enclosure.", "multiplications.", "without_chip.", "direct.")
"""Beginnings of names in a result that have a part of the page of their own."""


def results(run: RunFile, summary: Summary) -> Iterator[page.Block]:
    """Return the key numbers of the result, each with its interval and unit, and folded all others."""
    yield page.Heading("Key numbers", 2, "results")
    result = run.summary
    quantities = [one for one in extracted(result, summary.result_units) if one.name not in OF_THE_MOMENT]
    key = key_numbers(quantities)
    rest = [one for one in quantities if one not in key and not one.name.startswith(ELSEWHERE)]
    if not quantities:
        yield page.Paragraph("The run has no result.", page.DIM)
    if key:
        yield _quantities(key, "Key numbers")
    if rest:
        table = _quantities(rest, "The rest of the result")
        yield page.Folded(f"The rest of the result: {page.counted(len(table.rows), 'row')}", (table,))
    for name, values in result.items():
        if isinstance(values, list) and values and name != "cycles":  # shown cycle by cycle
            yield from _list(name_text(name), values)


def key_numbers(quantities: Sequence[Extracted]) -> list[Extracted]:
    """Return those of a result that stand first: the known `KEYS`, else those with an interval, else the first numbers."""
    by_name = {one.name: one for one in quantities if one.value not in (None, "")}
    if "converged" in by_name:
        return [by_name[name] for name in KEYS if name in by_name]
    told = [one for one in by_name.values() if one.interval]
    others = [one for one in by_name.values() if one not in told and not isinstance(one.value, str)]
    return [*told, *others[: max(KEY_NUMBERS - len(told), 0)]] or list(by_name.values())[:KEY_NUMBERS]


def _quantities(quantities: Sequence[Extracted], caption: str) -> page.Grid:
    known = any(one.interval for one in quantities)
    rows = []
    for one in quantities:
        value, unit = quantity_text(one.value, one.unit)
        if value:  # unlike the reason of a solve that converged
            rows.append((name_text(one.name), value, *([one.interval] * known), unit))
    head = ("result", "value", *(["95 % interval"] * known), "unit")
    return page.grid(head, rows, numbers=(1, 2) if known else (1,), caption=caption, of="results")


def _list(name: str, values: Sequence[Any]) -> Iterator[page.Block]:
    if all(isinstance(one, Mapping) for one in values):
        columns = list(dict.fromkeys(key for one in values for key in one))[:12]
        rows = [tuple(quantity_text(one.get(key))[0] for key in columns) for one in values]
        kinds = [type(values[0].get(key)) for key in columns]
        numbers = [place for place, kind in enumerate(kinds) if kind in (int, float)]
        table = page.grid(list(map(name_text, columns)), rows, numbers=numbers, caption=name, most=LIST_ROWS)
        yield page.Folded(f"{name}: {page.counted(len(values), 'row')}", (table,))
    else:
        first = ", ".join(quantity_text(one)[0] for one in values[:FIRST_VALUES])
        more = ", …" if len(values) > FIRST_VALUES else ""
        yield page.Paragraph(f"{name}: {len(values)} values: {first}{more}", page.DIM)


def certificate(result: Mapping[str, Any], summary: Summary) -> Iterator[page.Block]:
    """Say what was proved of a solution, and how."""
    proof = result.get("certificate")
    if not isinstance(proof, Mapping) and not summary.enclosure:
        return
    yield page.Heading("Certificate", 2, "certificate")
    if summary.converged is not None:
        why = f": {summary.reason_not_converged}" if summary.reason_not_converged else ""
        passes = "The solution passes." if summary.converged else f"The solution does not pass{why}."
        yield page.Paragraph(passes, page.GOOD if summary.converged else page.BAD)
    if isinstance(proof, Mapping):
        residual = (
            "the residual b - A x, recomputed without rounding errors from the matrix as given and the solution as handed "
            "out"
        )
        yield page.Paragraph(
            f"Proved from {residual}, and from the norm of A⁻¹: no oracle and no forecast decides."
            if proof.get("inverse_norm") is not None
            else f"Judged by {residual}. No bound of the norm of A⁻¹ is proved, and none of the error."
        )
        asked = "" if summary.asked_bits is None else f", {summary.asked_bits:g} were asked for"
        rows: list[tuple[str, page.Words]] = []
        if summary.proved_bits is not None:
            rows.append(("bits proved", f"{summary.proved_bits:.1f}{asked}"))
        names = {
            "error_bound": "relative error of the solution at most",
            "residual": "‖b - A x‖",
            "rhs_norm": "‖b‖",
            "inverse_norm": "‖A⁻¹‖",
            "multiplications": "multiplications in float64 that the proof took",
        }
        rows += [
            (words, quantity_text(proof[name], digits=4)[0])
            for name, words in names.items()
            if isinstance(proof.get(name), int | float)
        ]
        rows += [
            (name_text(name), quantity_text(value)[0])
            for name, value in proof.items()
            if name not in (*names, "bits") and not isinstance(value, list | Mapping)
        ]
        yield page.FactList(tuple(rows))
    if summary.enclosure:
        yield page.Paragraph(f"The exact solution: {enclosure_sentence(summary.enclosure)}.")


def worth(result: Mapping[str, Any]) -> Iterator[page.Block]:
    """Return what the chip was worth beside the same solve without it."""
    rows = worth_rows(result)
    if rows:
        yield page.Heading("What the chip was worth", 2, "worth")
        yield page.FactList(tuple(rows))


def programming(summary: Summary) -> Iterator[page.Block]:
    """Return how the arrays were programmed."""
    if not summary.arrays:
        return
    factor, unit = handy_unit("S")
    yield page.Heading("Programming", 2, "programming")
    head = (
        "array", "cells", "read", "pulses", "pulses a cell", "outside their window", f"mean error ({unit})",
        f"standard deviation ({unit})",
    )  # fmt: skip
    rows = []
    for one in summary.arrays:
        each = one.pulses / one.programmed if one.pulses is not None and one.programmed else None
        counts = _or_dash(one.pulses, "d"), _or_dash(each, ".2f"), _or_dash(one.outside, "d")
        errors = _or_dash(one.error_mean, "+.3f", factor), _or_dash(one.error_sd, ".3f", factor)
        rows.append((one.name, str(one.cells), str(one.programmed), *counts, *errors))
    yield page.grid(head, rows, numbers=range(1, len(head)), caption="Programming, by array")


def cycles(run: RunFile) -> Iterator[page.Block]:
    """Return the refinement, cycle by cycle."""
    convergence = read_convergence(run)
    if convergence is None or not len(convergence.cycle):
        return
    yield page.Heading("Refinement", 2, "refinement")
    if convergence.rho is not None:
        bits = f", {-np.log2(convergence.rho):.1f} bits a cycle" if 0.0 < convergence.rho < 1.0 else ""
        yield page.Paragraph(f"Forecast contraction: rho = {convergence.rho:.3f}{bits}.")
    true, count = convergence.true_residual, len(convergence.cycle)
    shown = [
        number for number in range(count) if number < HEAD_CYCLES or number >= max(HEAD_CYCLES, count - TAIL_CYCLES)
    ]  # fmt: skip
    with np.errstate(divide="ignore", invalid="ignore"):
        bits_reached = -np.log2(convergence.relative_error)
    rows = []
    for number in shown:
        row = [f"{convergence.cycle[number]:.0f}", f"{convergence.residual[number]:.2e}"]
        row += [] if true is None else ["" if np.isnan(true[number]) else f"{true[number]:.2e}"]
        error, bits = convergence.relative_error[number], bits_reached[number]
        rows.append([*row, *(("", "") if np.isnan(bits) else (f"{error:.2e}", f"{bits:.1f}"))])
    head = (
        "cycle", "residual", *([] if true is None else ["residual, recomputed"]), "relative error", "bits",
    )  # fmt: skip
    note = f"{len(shown)} of {count} cycles" if len(shown) < count else ""
    yield page.grid(head, rows, numbers=range(len(head)), caption="Refinement, cycle by cycle", note=note)


def _or_dash(value: float | None, form: str, factor: float = 1) -> str:
    return "-" if value is None else format(value * factor, form)


HEAD_ROWS, TAIL_ROWS = 8, 4
MOST_TABLES, MOST_COLUMNS, MOST_ITEMS = 40, 24, 100
VALUES = 4  # values shown of a cell that has several
LARGEST_CELL = 1 << 16  # values in one row of a column up to which it is read
LARGEST_IMAGE = 1 << 22  # values of one image up to which it is read
LOG_BLOCK, LOG_HEAD, LOG_TAIL, LOG_WARNINGS = 4096, 100, 100, 200
QUIET = ("DEBUG", "INFO")


def contents(run: RunFile) -> Iterator[page.Block]:
    """Return every table in a few of its rows, and maps and arrays by what they are."""
    yield page.Heading("Data in the file", 2, "data")
    if not run.tables and not run.maps and not run.arrays:
        yield page.Paragraph("No tables, no maps and no arrays.", page.DIM)
        return
    for name in run.tables[:MOST_TABLES]:
        yield _table(run, name)
    if len(run.tables) > MOST_TABLES:
        yield page.Paragraph(f"{len(run.tables) - MOST_TABLES} more tables are not shown.", page.DIM)
    if run.maps:
        rows = [_map(run, name) for name in run.maps[:MOST_ITEMS]]
        head = ("map", "rows x columns", "images", "unit", "least", "median", "largest of the last image")
        note = f"the first {MOST_ITEMS} of {len(run.maps)} maps" if len(run.maps) > MOST_ITEMS else ""
        table = page.grid(head, rows, numbers=(1, 2, 4, 5, 6), caption="Maps", note=note)
        yield page.Folded(page.counted(len(run.maps), "map"), (table,))
    if run.arrays:
        shapes = [
            (name, " x ".join(map(str, run.array_shape(name))) or "one number", run.array_unit(name))
            for name in run.arrays[:MOST_ITEMS]
        ]
        note = f"the first {MOST_ITEMS} of {len(run.arrays)} arrays" if len(run.arrays) > MOST_ITEMS else ""
        table = page.grid(("array", "shape", "unit"), shapes, numbers=(1,), caption="Arrays", note=note)
        yield page.Folded(page.counted(len(run.arrays), "array"), (table,))


def _table(run: RunFile, name: str) -> page.Folded:
    length, units = run.length(name), run.units(name)
    columns = list(units)[:MOST_COLUMNS]
    title = f"Table {name}: {page.counted(length, 'row')}, {page.counted(len(units), 'column')}"
    if not length:
        named = ", ".join(with_unit(column, unit) for column, unit in units.items())
        return page.Folded(title, (page.Paragraph(f"No rows. Columns: {named}.", page.DIM),))
    spans: tuple[tuple[int, int], ...] = ((0, length),)
    if length > HEAD_ROWS + TAIL_ROWS:
        spans = (0, HEAD_ROWS), (length - TAIL_ROWS, length)
    numbers = [number for start, stop in spans for number in range(start, stop)]
    shown = [_cells(run, name, column, spans, len(numbers)) for column in columns]
    rows = [tuple(map(str, one)) for one in zip(numbers, *shown, strict=True)]
    head = ("row", *(with_unit(one, handy_unit(units[one])[1]) for one in columns))
    notes = [f"rows 0 to {HEAD_ROWS - 1} and the last {TAIL_ROWS} of {length}"] * (len(rows) < length)
    if len(columns) < len(units):
        notes.append(f"the first {len(columns)} of {len(units)} columns")
    table = page.grid(head, rows, numbers=range(len(head)), caption=f"Table {name}", note="; ".join(notes))
    return page.Folded(title, (table,))


def _cells(
    run: RunFile, table: str, column: str, spans: tuple[tuple[int, int], ...], count: int
) -> list[str]:
    """Return rows of a column as text; a cell of several values shows the first."""
    shape = run.column(table, column, 0, 0).shape[1:]  # no rows, but their shape
    if math.prod(shape) > LARGEST_CELL:
        return [f"{math.prod(shape)} values"] * count
    factor = handy_unit(run.units(table)[column])[0]
    return [_cell(value, factor) for span in spans for value in run.column(table, column, *span)]


def _cell(value: object, factor: float) -> str:
    if isinstance(value, np.ndarray) and value.ndim:
        first = ", ".join(_cell(one, factor) for one in value.ravel()[:VALUES])
        return f"[{first}{', …' if value.size > VALUES else ''}]"
    if isinstance(value, np.bool_):
        return "yes" if value else "no"
    if isinstance(value, np.integer) and factor == 1.0:
        return str(value)
    if isinstance(value, np.complexfloating):
        return f"{factor * complex(value):.5g}"
    number = factor * float(value)  # type: ignore[arg-type]
    return "-" if math.isnan(number) else f"{number:.5g}"


def _map(run: RunFile, name: str) -> tuple[str, ...]:
    rows, columns = (len(one) for one in run.map_axes(name))
    images = len(run.map_times(name))
    factor, unit = handy_unit(run.map_unit(name))
    values = np.empty(0)
    if images and rows * columns <= LARGEST_IMAGE:
        image = np.asarray(run.map(name), dtype=float)
        values = factor * image[np.isfinite(image)]
    quantiles = [f"{one:.5g}" for one in np.quantile(values, (0.0, 0.5, 1.0))] if values.size else ["-"] * 3
    return name, f"{rows} x {columns}", str(images), unit, *quantiles


def of_log(run: RunFile) -> Iterator[page.Block]:
    """Return the log, warnings first, then the rest in its order; a block is read at a time, and a bounded part kept."""
    count, warned = 0, 0
    first, last, warnings = list[LogEntry](), list[LogEntry](), list[LogEntry]()
    while block := run.log(count, count + LOG_BLOCK):
        count += len(block)
        first += block[: LOG_HEAD - len(first)]
        last = [*last, *block][-LOG_TAIL:]
        loud = [one for one in block if one.level not in QUIET]
        warned += len(loud)
        warnings += loud[: LOG_WARNINGS - len(warnings)]
    last = last[-(count - LOG_HEAD) :] if count > LOG_HEAD else []
    yield page.Heading("Log", 2, "log")
    if not count:
        yield page.Paragraph("Nothing was logged.", page.DIM)
        return
    head = ("after", "level", "message")
    if warnings:
        note = f"the first {len(warnings)} of {warned} warnings" if warned > len(warnings) else ""
        yield page.grid(head, list(map(_entry, warnings)), caption="Warnings in the log", note=note)
    if count == len(warnings):
        return  # all of it stands there
    title, note = f"All {count} entries" if count > 1 else "1 entry", ""
    if len(first) + len(last) < count:
        note = f"the first {len(first)} and the last {len(last)} of {count} entries"
        title = f"Entries: {note}"
    yield page.Folded(title, (page.grid(head, list(map(_entry, (*first, *last))), caption="Log", note=note),))


def _entry(entry: LogEntry) -> tuple[str | page.TextSpan, ...]:
    level: str | page.TextSpan = entry.level if entry.level in QUIET else page.TextSpan(entry.level, page.BAD)
    return f"{entry.time:.1f} s", level, entry.message


MOST_INSTRUMENTS, MOST_SETTINGS = 40, 60
TEXTS = ("packages", "git_diff", "git_status")  # facts of the provenance that are long texts

MEANT = {
    "mho_version": "mho", "git_commit": "commit", "python": "Python", "platform": "platform",
    "processor": "processor", "blas": "BLAS", "time_zone": "time zone", "chip_seed": "seed of the chip",
    "command_line": "command line", "git_status": "changed files", "git_diff": "changes to the code",
}  # fmt: skip


def parameters(run: RunFile) -> Iterator[page.Block]:
    """Return every parameter: its value with the unit, and whence it comes where it was not given."""
    settings = run.parameters
    if not settings:
        return
    yield page.Heading(f"All {page.counted(len(settings), 'parameter')}", 2, "parameters")
    rows = [(one.label or name, name, parameter_text(one)) for name, one in settings.items()]
    yield page.grid(("parameter", "name", "value"), rows, caption="Parameters", of="parameters")


def differences(summary: Summary) -> Iterator[page.Block]:
    """Return what of the parameters is not as by default."""
    if not summary.parameters:
        return
    yield page.Heading("What differs from the defaults", 2, "differences")
    asked = asked_for(summary.procedure, summary.parameters)
    if asked:
        yield page.FactList(tuple((one.label or name, parameter_text(one)) for name, one in asked.items()))
    else:
        yield page.Paragraph("Nothing: every parameter is as by default.", page.DIM)


def record(run: RunFile, personal: bool) -> Iterator[page.Block]:
    """Return bench, instruments, chip and provenance."""
    yield page.Heading("Bench and chip", 2, "bench")
    yield from _instruments(run)
    for what, text in (
        ("Bench file", run.bench),
        ("Chip map", run.chip),
        ("Defects of the chip", run.defects),
        ("Source of the procedure", run.source),
    ):
        if text.strip():
            summary = f"{what}: {len(text.splitlines())} lines, SHA-256 {text_hash(text)[:16]}…"
            yield page.Folded(summary, (page.listing(text, what),))
    yield page.Heading("Provenance", 2, "provenance")
    yield from _provenance(run.provenance, personal)


def _instruments(run: RunFile) -> Iterator[page.Block]:
    before, after = run.instruments, run.settings_after
    if not before:
        yield page.Paragraph("No instruments are recorded.", page.DIM)
        return
    rows = [(name, settings.get("identity", "")) for name, settings in before.items()]
    yield page.grid(
        ("role", "identity"), rows, caption="Instruments", most=MOST_INSTRUMENTS, of="instruments"
    )
    blocks: list[page.Block] = []
    for name in list(before)[:MOST_INSTRUMENTS]:
        settings, later = before[name], after.get(name, {})
        names = [one for one in dict.fromkeys((*settings, *later)) if one != "identity"]
        changed = {one: str(text) for one, text in later.items() if text != settings.get(one)}
        lines = [(one, str(settings.get(one, "")), changed.get(one, "")) for one in names]
        if lines:
            head = ("setting", "before the run", "after it, where it differs")
            table = page.grid(head, lines, caption=f"Settings of {name}", most=MOST_SETTINGS, of="settings")
            blocks += [page.Heading(name, 4), table]
    if blocks:
        yield page.Folded("Settings of the instruments", tuple(blocks))


def _provenance(facts: Mapping[str, str], personal: bool) -> Iterator[page.Block]:
    shown = {name: text for name, text in facts.items() if text and (personal or name not in page.PERSONAL)}
    rows: list[tuple[str, page.Words]] = [
        (MEANT.get(name, name.replace("_", " ")), text) for name, text in shown.items() if name not in TEXTS
    ]
    if facts.get("git_status") or facts.get("git_diff"):
        rows.append(("code", "changed since the commit" + ("" if personal else "; --personal shows how")))
    yield page.FactList(tuple(rows[:100]))
    for name in TEXTS:
        if name in shown:
            text, what = shown[name], "packages" if name == "packages" else "lines"
            title = f"{MEANT.get(name, name.capitalize())}: {len(text.splitlines())} {what}"
            if name == "packages":  # many to a line
                text = textwrap.fill(", ".join(text.split()), 100, break_on_hyphens=False)
            yield page.Folded(title[:1].upper() + title[1:], (page.listing(text, MEANT.get(name, name)),))


# --- made again ---


def repeating(run: RunFile, summary: Summary, command: str, personal: bool) -> Iterator[page.Block]:
    """Say how the run is repeated: from the file, and from the start."""

    def exact(text: str) -> str:
        return text if personal else page.without_folders(text).replace("…/", "")

    yield page.Heading("How to repeat it", 2, "repeat")
    simulated, over = summary.bench.preset is not None, summary.status not in GOING_ON
    if not run.bench.strip():
        yield page.Paragraph("The run was not made on a bench: there is nothing to repeat.", page.DIM)
        return
    if simulated and over:
        yield page.Paragraph(
            "From its file alone, compared with it bit for bit; seed, bench, chip and parameters are the file's:"
        )
        yield page.Listing(f"mho rerun {run.path.name}", "Command that repeats the run")
    elif not simulated:
        yield page.Paragraph(
            "It was made on real instruments: what is run again is another measurement. With the same parameters:",
            page.DOUBTFUL,
        )
    if command:
        yield page.Paragraph("From the start, as a command:")
        yield page.Listing(exact(command), "Command that runs the procedure with the same parameters")
    plan = plan_text(run, summary)
    as_plan = page.Listing(exact(plan), "Plan with the same parameters")
    yield page.Folded("As a plan, to be kept and changed", (as_plan,))
    if exact(command + plan) != command + plan:
        yield page.Paragraph("Files are named without their folders: give them where they lie.", page.DIM)
    if after := run.provenance.get("after", ""):
        yield page.Paragraph(f"It went on with the chip as another run had left it: {after}.", page.DIM)


def plan_text(run: RunFile, summary: Summary) -> str:
    """Return the plan (TOML) of the same run."""
    provenance = run.provenance
    named = provenance.get("procedure", "")
    name = run.procedure.lower() if named.startswith("mho.") or not named else named
    lines = [
        f"name = {toml_value(summary.title)}",
        f"bench = {toml_value(provenance.get('bench') or summary.bench.name)}",
    ]
    preset = provenance.get("preset_file") or summary.bench.preset
    if preset:
        lines.append(f"preset = {toml_value(preset)}")
    if summary.seed is not None:
        lines.append(f"seed = {summary.seed}")
    lines += ["", "[[steps]]", f"procedure = {toml_value(name)}", "", "[steps.parameters]"]
    lines += [f"{key} = {toml_value(value)}" for key, value in run.given.items()]
    return "\n".join(lines)


FIRST_WARNINGS, MOST_WARNINGS = 5, 100  # in the box at the top: shown, and folded
FIRST_INSTRUMENTS = 8  # named at the top; the others below

VERIFIED_BYTES = 256 << 20
"""Size of its data up to which a page says whether a file is whole: the check reads all of them."""

TONES = {
    Status.FINISHED: page.GOOD, Status.FAILED: page.BAD, Status.ABORTED: page.DOUBTFUL, Status.INTERRUPTED: page.DOUBTFUL,
    Status.RUNNING: page.DOUBTFUL, Status.PAUSED: page.DOUBTFUL,
}  # fmt: skip


def run_document(path: Path, *, personal: bool = False) -> page.Document:
    """Return the page about the run in a file, however it ended; if `personal` with folders, user, host and changed code.

    Raises `RunFileError`: the file is no run file, or damaged.
    """
    with RunFile(path) as run:
        summary = summarise(run)
        tables = [
            *more_figures(run), *programming(summary), *cycles(run), *parameters(run), *contents(run), *of_log(run),
            *record(run, personal),
        ]  # fmt: skip
        blocks = (
            verdict_box(run, summary), *figure_blocks(*run_pictures(run, leading=True)), *results(run, summary),
            *made_on(run, summary, personal), *differences(summary), *certificate(run.summary, summary),
            *worth(run.summary), page.Heading("Tables and records", 2, "tables"), *page.folded(tables),
            *repeating(run, summary, command_of(run), personal), *_checks(path, run),
        )  # fmt: skip
    subject = f"Run of {summary.procedure}, {summary.status}; {path.name}"
    document = page.Document(summary.title or path.name, blocks, subject)
    return document if personal else page.map_texts(document, page.without_folders)


def verdict_box(run: RunFile, summary: Summary) -> page.VerdictBox:
    """Return how a run ended, whether its chip was simulated, and every warning."""
    blocks: list[page.Block] = [page.Paragraph(state(run, summary))]
    if summary.bench.preset is not None:
        cells = f"preset {summary.bench.preset}" if summary.bench.preset else "the preset by default"
        simulated = page.TextSpan("SIMULATED", page.DOUBTFUL)
        blocks.append(page.Paragraph((simulated, f": cells of {cells}; no chip was measured.")))
    warnings = [f"{one.level}, {one.time:.1f} s: {one.message}" for one in summary.warnings]
    warnings += [f"WARNING: {one}" for one in summary.concluding_warnings]
    paragraphs = [page.Paragraph(one, page.DOUBTFUL) for one in warnings]
    blocks += paragraphs[:FIRST_WARNINGS]
    if more := paragraphs[FIRST_WARNINGS:MOST_WARNINGS]:
        left = f", the first {len(more)} here" if len(paragraphs) > MOST_WARNINGS else ""
        title = f"and {page.counted(len(paragraphs) - FIRST_WARNINGS, 'more warning')}{left}"
        blocks.append(page.Folded(title, tuple(more)))
    return page.VerdictBox(tuple(blocks), tone_of(summary))


def more_figures(run: RunFile) -> Iterator[page.Block]:
    """Return the figures of a run beside the leading ones."""
    pictures, note = run_pictures(run, leading=False)
    if pictures or note:
        yield from figure_blocks(pictures, note, f"More figures: {len(pictures)}", "more-figures")


def state(run: RunFile, summary: Summary) -> page.Words:
    """Return how a run stands: in the present for one that goes on, and as of when."""
    status = status_words(summary.status, summary.conclusion)
    words: list[str | page.TextSpan] = [
        page.TextSpan(status, tone_of(summary)),
        summary.outcome.removeprefix(status),
    ]
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


def tone_of(summary: Summary) -> str:
    """Return how a run's end is meant: one that measured nothing, or left its bench in doubt, is not good."""
    conclusion = summary.conclusion
    doubtful = conclusion is not None and bool(conclusion.unsafe or not conclusion.measured)
    return page.DOUBTFUL if doubtful and summary.status is Status.FINISHED else TONES[summary.status]


def made_on(run: RunFile, summary: Summary, personal: bool) -> Iterator[page.Block]:
    """Return what was run on what: procedure, bench, chip, instruments, when, and of which version."""
    yield page.Heading("What was run on what", 2, "run")
    own = [read_description(text) for text in (run.bench, run.chip)]
    bench, chip = (", ".join(str(one[key]) for key in ("name", "description") if one.get(key)) for one in own)
    preset = summary.bench.preset
    simulated = "" if preset is None else f" - SIMULATED, preset {preset or 'by default'}"
    identities = [f"{name}: {one.get('identity', 'unknown')}" for name, one in run.instruments.items()]
    if len(identities) > FIRST_INSTRUMENTS:
        identities[FIRST_INSTRUMENTS:] = [f"and {len(identities) - FIRST_INSTRUMENTS} more"]
    version = filter(None, (run.provenance.get("mho_version", ""), run.provenance.get("git_commit", "")[:12]))
    seconds = run.last_sign - run.start_time.timestamp()
    verb = "for" if run.status in GOING_ON else "took"
    rows: list[tuple[str, page.Words]] = [
        ("procedure", f"{summary.procedure}, version {summary.version}"),
        ("chip", (chip or "unknown") + (f", as {summary.after} left it" if summary.after else "")),
        ("cells", run.cells),
        ("bench", f"{bench or 'unknown'}{simulated}"),
        ("instruments", "\n".join(identities)),
        ("seed", "none" if summary.seed is None else str(summary.seed)),
        ("started", f"{summary.start:%Y-%m-%d %H:%M:%S %z}, {verb} {duration_text(max(seconds, 0.0))}"),
        *((name, label) for name, label in summary.labels.items() if personal or name not in page.PERSONAL),
        ("mho", " ".join(version)),
        ("file", run.path.name),
        ("run", read_card(run.path).facts.run_id),
    ]
    if summary.bench_seconds is not None:
        rows.append(("bench time", duration_text(summary.bench_seconds)))
    yield page.FactList(tuple((name, words) for name, words in rows if words))


def _checks(path: Path, run: RunFile) -> Iterator[page.Block]:
    """Say whether the file is whole and as its run wrote it."""
    yield page.Heading("Checks", 2, "checks")
    size = bytes_to_verify(path)
    if size > VERIFIED_BYTES:
        words: page.Words = (
            f"Not verified: its data are {size / 1e9:.1f} GB, and all of them would be read. To check it: ",
            page.TextSpan(f"mho verify {path.name}", "code"),
        )
        yield page.Paragraph(words, page.DOUBTFUL)
    else:
        yield from verdict(verify(path))
    yield page.FactList((("schema", f"{run.schema}, HDF5 in the shape of NeXus (NXentry)"),))


VERDICTS = {
    Verdict.SOUND: ("every checksum is right, and the file is as its run wrote it", page.GOOD),
    Verdict.RUNNING: ("the file is being written", page.DOUBTFUL),
    Verdict.INTERRUPTED: ("what is there can be read; the writer has not closed the file", page.DOUBTFUL),
    Verdict.CHANGED: ("the file was changed after its run", page.BAD),
    Verdict.DAMAGED: ("a part of the file cannot be read", page.BAD),
    Verdict.UNREADABLE: ("the file cannot be read", page.BAD),
}


def verdict(verification: Verification) -> Iterator[page.Block]:
    """Say what the verification of a file found."""
    words, tone = VERDICTS.get(verification.verdict, ("", page.DOUBTFUL))
    yield page.Paragraph((page.TextSpan(str(verification.verdict)), f": {words}"), tone)
    if verification.findings:
        rows = [(one,) for one in verification.findings]
        yield page.grid(("finding",), rows, caption="Findings", most=20, of="findings")
