"""What a notebook shows of a run, and of many: facts, results and small figures, of bounded size, without scripts.

Every text comes from a file and is escaped. A page depends on the run alone, so that a notebook that is executed again
shows no difference.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mho.analysis.reports import RunRow, duration_text, parameter_text, quantity_text
from mho.errors import MhoError
from mho.escaping import html
from mho.runs import RunFile, outcome_line, status_words
from mho.runs.index import plain_results, read_card

MOST_ROWS, MOST_RESULTS = 40, 12  # parameters or runs, and results, that are shown
MOST_LETTERS, MOST_ERROR = 80, 1000  # of one text, and of what is wrong with a file
FIGURES = 2
SIZE, DOTS, NEWEST = (3.4, 2.3), 90, 20_000  # of a figure: inches, dots an inch, and rows that are drawn
_CELL = "padding:1px 12px 1px 0;text-align:left;vertical-align:top"
_DIM = "opacity:.6"


def run_html(run: RunFile) -> str:
    """Return what a run is: title, status, bench, chip, preset, seed, parameters, results, and its first figures."""
    if not run.is_open:
        return f"<p>run {html(run.path.name)}, closed</p>"
    try:
        conclusion = run.conclusion
        status = status_words(run.status, conclusion)
        head = f"<b>{_text(run.title)}</b> <span style='{_DIM}'>{_text(status)}</span>"
        outcome = outcome_line(run.status, run.reason, conclusion, named=False)
        warnings = () if conclusion is None else conclusion.warnings
        reason = "".join(f"<div>{_text(one)}</div>" for one in (outcome, *warnings) if one)
        units, values = run.result_units, plain_results(run.summary)
        texts = {name: quantity_text(value, units.get(name, "")) for name, value in values.items()}
        results = [(name, " ".join(text).rstrip()) for name, text in texts.items() if text[0]]
        lists = [_list("run", _facts(run), MOST_ROWS), _list("results", results, MOST_RESULTS)]
        folded = [
            ("parameters", [(name, parameter_text(one)) for name, one in run.parameters.items()]),
            ("contents", _contents(run)),
        ]
    except MhoError as error:
        return f"<p>run {html(str(error)[:MOST_ERROR])}</p>"
    below = "".join(
        f"<details><summary style='{_DIM}'>{title}</summary>{_list('', pairs, MOST_ROWS)}</details>"
        for title, pairs in folded
        if pairs
    )
    beside = "".join(f"<div style='margin-right:24px'>{one}</div>" for one in (*lists, *_figures(run)) if one)
    return f"<div>{head}{reason}<div style='display:flex;flex-wrap:wrap'>{beside}</div>{below}</div>"


def runs_html(count: int, shown: Sequence[RunRow], skipped: Mapping[Path, str]) -> str:
    """Return a table of the first of so many runs: file, title, status, preset, seed, duration."""
    heads = ("run", "title", "status", "preset", "seed", "took")
    lines = [_row("th", heads)]
    for one in shown:
        row: Mapping[str, Any] = one.row or {}
        took = row.get("duration")
        facts = [row.get(name, "") for name in heads[1:-1]]
        lines.append(_row("td", (one.path.name, *facts, "" if took is None else duration_text(took))))
    more = [f"{count - MOST_ROWS} more"] if count > MOST_ROWS else []
    left_out = [f"left out: {html(reason[:MOST_ERROR])}" for reason in list(skipped.values())[:MOST_ROWS]]
    below = "".join(f"<div style='{_DIM}'>{one}</div>" for one in (*more, *left_out))
    return f"<div><b>{count} runs</b><table>{''.join(lines)}</table>{below}</div>"


def _facts(run: RunFile) -> list[tuple[str, str]]:
    facts = read_card(run.path).facts
    end = run.end_time
    pairs = [
        ("procedure", run.procedure),
        ("bench", facts.bench),
        ("chip", facts.chip),
        ("preset", run.preset),
        ("seed", "" if run.seed is None else str(run.seed)),
        ("started", f"{run.start_time:%Y-%m-%d %H:%M:%S}"),
        ("took", "" if end is None else duration_text((end - run.start_time).total_seconds())),
        ("file", run.path.name),
    ]
    return [(name, text) for name, text in pairs if text]


def _contents(run: RunFile) -> list[tuple[str, str]]:
    tables = [(name, f"{run.length(name)} rows of {len(run.units(name))}") for name in run.tables]
    maps = [(f"maps/{name}", f"{run.map_length(name)} images") for name in run.maps]
    shapes = {f"arrays/{name}": run.stored(f"arrays/{name}").shape for name in run.arrays}
    arrays = [(name, " x ".join(map(str, shape)) or "a number") for name, shape in shapes.items()]
    return [*tables, *maps, *arrays]


def _list(title: str, pairs: Sequence[tuple[str, str]], most: int) -> str:
    if not pairs:
        return ""
    lines = [_row("td", pair) for pair in pairs[:most]]
    if len(pairs) > most:
        lines.append(_row("td", (f"{len(pairs) - most} more", "")))
    return f"<div style='{_DIM}'>{title}</div><table>{''.join(lines)}</table>"


def _row(cell: str, texts: Iterable[object]) -> str:
    return f"<tr>{''.join(f'<{cell} style={chr(39)}{_CELL}{chr(39)}>{_text(str(one))}</{cell}>' for one in texts)}</tr>"


def _text(text: str) -> str:
    return html(text if len(text) <= MOST_LETTERS else f"{text[:MOST_LETTERS]}…")


def _figures(run: RunFile) -> Iterable[str]:
    """Yield the first figures that can be drawn, as pictures of some ten thousand bytes."""
    from mho.analysis.figures import draw_alone, figures_of

    drawn = 0
    try:
        figures = figures_of(run)
    except MhoError as error:
        yield f"<div>{_text(str(error))}</div>"
        return
    for figure in figures:
        if drawn == FIGURES:
            return
        picture = io.BytesIO()
        try:
            sheet = draw_alone(run, figure, SIZE, DOTS, NEWEST)
        except MhoError:
            continue  # it has nothing to show yet
        sheet.savefig(picture, format="png", metadata={"Software": None})
        drawn += 1
        coded = base64.b64encode(picture.getvalue()).decode("ascii")
        yield f"<img alt='{_text(figure.title or figure.name)}' src='data:image/png;base64,{coded}'/>"
