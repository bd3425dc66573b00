"""The page: one HTML file with its pictures inside, readable without a network, and printable."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from mho.analysis.characterisation.extracted import Extracted, Number, extracted
from mho.analysis.characterisation.folder import Folder, PlannedStep, RunFacts, read_folder
from mho.analysis.characterisation.headlines import headline
from mho.analysis.reports.quantities import handy_unit
from mho.errors import InputError, MhoError
from mho.escaping import html
from mho.runs import RunFile

REPORT = "report.html"
PICTURE, DOTS = (6.0, 4.0), 110  # inches, per inch
MOST_FIGURES = 12  # of a run
HANDY = {"S/V": (1e6, "µS/V")}
NEWEST = 1 << 20  # rows of a table in a figure

_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font: 15px/1.45 system-ui, sans-serif; color: #1d2330; max-width: 1100px; margin: 2em auto; padding: 0 1em; }}
h1 {{ margin-bottom: 0.2em; }} h2 {{ margin-top: 2em; border-bottom: 1px solid #c9ced8; }}
table {{ border-collapse: collapse; margin: 0.6em 0; }}
th, td {{ text-align: left; padding: 0.15em 1.2em 0.15em 0; vertical-align: top; }}
th {{ font-weight: 600; border-bottom: 1px solid #c9ced8; }}
td.n {{ text-align: right; font-variant-numeric: tabular-nums; }}
.dim {{ color: #5f6878; }} .bad {{ color: #a32020; }}
.figures {{ display: grid; grid-template-columns: repeat(2, 1fr); gap: 1em; }}
figure {{ margin: 0; break-inside: avoid; }} figure img {{ width: 100%; }}
figcaption {{ font-weight: 600; }}
@media (max-width: 760px) {{ .figures {{ grid-template-columns: 1fr; }} }}
</style>
</head>
<body>
{body}
</body>
</html>
"""


def write_report(
    folder: Path, output: Path | None = None, *, reasons: Mapping[str, str] | None = None
) -> Path:
    """Write the page about the run files in a folder, also where the plan was not carried out to its end.

    Parameters
    ----------
    folder : Path
        With run files, and perhaps the plan that they were made by.
    output : Path, optional
        The page; ``report.html`` in the folder if not given. One that is there is replaced.
    reasons : mapping, optional
        Why a step has no run, by its number, where the one who calls knows it.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    InputError
        There is nothing to report on, or the page cannot be written.
    """
    found = read_folder(folder)
    target = folder / REPORT if output is None else output
    if target.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"{target} is no page; give a name that ends in .html")
    text = _PAGE.format(title=html(found.title), body="\n".join(_body(found, folder, reasons or {})))
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            draft.write_text(text, "utf-8")
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"page {target} cannot be written: {error.strerror}; choose another --output"
        ) from error
    return target


def _body(found: Folder, folder: Path, reasons: Mapping[str, str]) -> Iterator[str]:
    superseded = [
        run for step in found.steps if step.finished for run in step.runs if run is not step.finished
    ]
    yield f"<h1>{html(found.title)}</h1>"
    if found.description:
        yield f'<p class="dim">{html(found.description)}</p>'
    yield _facts(found, folder)
    if found.steps:
        yield "<h2>Steps</h2>"
        yield _steps(found.steps, reasons)
    yield from _left_out(found)
    yield from _headlines(found)
    for run in found.runs:
        if run not in superseded:
            yield from _run(run)


def _facts(found: Folder, folder: Path) -> str:
    def all_of(name: str) -> str:
        return ", ".join(dict.fromkeys(filter(None, (getattr(run, name) for run in found.runs))))

    presets = all_of("preset")
    started = [run.started for run in found.runs if run.started]
    facts = {
        "folder": folder.resolve().name,
        "chip": all_of("chip"),
        "bench": all_of("bench") + (f" - SIMULATED, preset {presets}" if presets else ""),
        "measured": f"{min(started)} to {max(started)} (starts of the runs)" if started else "",
        "seed": all_of("seed"),
        "mho": all_of("version"),
        "page made": f"{datetime.now():%Y-%m-%d %H:%M:%S}",
    }
    return _table((), [[_dim(name), html(text)] for name, text in facts.items() if text])


def _steps(steps: Sequence[PlannedStep], reasons: Mapping[str, str]) -> str:
    rows = []
    for step in steps:
        done = step.finished
        others = [run for run in step.runs if run is not done]
        state = "finished" if done else (others[-1].status or "unreadable") if others else "missing"
        if done is not None:
            said = f'<a href="#{html(done.path.stem)}">{html(done.path.name)}</a>'
        else:
            state = f'<span class="bad">{html(state)}</span>'
            unknown = "" if others else "no run file: not begun, skipped, refused by the bench, or deleted"
            said = html(reasons.get(str(step.number), unknown))
        told = [_attempt(run) for run in others]
        rows.append([str(step.number), html(step.procedure), state, "<br>".join(filter(None, [said, *told]))])
    return _table(("", "step", "", ""), rows)


def _attempt(run: RunFacts) -> str:
    """Return what came of an attempt that did not finish."""
    why = run.trouble or f"{run.status}{f': {run.reason}' if run.reason else ''}"
    return f'{html(run.path.name)}: <span class="bad">{html(why)}</span>'


def _left_out(found: Folder) -> Iterator[str]:
    rows = [[html(run.path.name), html(run.left_out)] for run in found.runs if run.left_out and run.finished]
    if rows:
        yield "<h2>Broken cells, left out</h2>"
        yield _table(("run", ""), rows)


def _headlines(found: Folder) -> Iterator[str]:
    rows = []
    for run in found.runs:
        if not run.finished or run.result is None:
            continue
        kind = f"{run.procedure}, {run.varied}" if run.varied else run.procedure
        for what, one in headline(kind, extracted(run.result, run.units or {})):
            link = f'<a href="#{html(run.path.stem)}">{html(run.path.name)}</a>'
            rows.append([html(what), *_value(one), html(_cells_behind(run.result, one)), link])
    if rows:
        yield "<h2>Device parameters</h2>"
        yield _table(("parameter", "value", "95 % interval", "unit", "cells", "run"), rows, numbers=(1, 2, 4))


def _run(run: RunFacts) -> Iterator[str]:
    name = run.title or run.path.name
    yield f'<h2 id="{html(run.path.stem)}">{html(name)}</h2>'
    if run.trouble:
        yield f'<p class="bad">{html(run.trouble)}</p>'
        return
    state = run.status if run.finished else f"{run.status}{f': {run.reason}' if run.reason else ''}"
    told = ", ".join(filter(None, (run.path.name, run.procedure, run.cells, run.started, state)))
    yield f'<p class="dim">{html(told)}</p>'
    for warning in run.warnings:
        yield f'<p class="bad">{html(warning)}</p>'
    found = extracted(run.result or {}, run.units or {})
    if found:
        rows = [[html(_words(one.name)), *_value(one)] for one in found]
        yield _table(("parameter", "value", "95 % interval", "unit"), rows, numbers=(1, 2))
    yield f'<div class="figures">{"".join(_figures(run.path))}</div>'


def _figures(path: Path) -> Iterator[str]:
    """Yield a run's declared figures, drawn as `mho plot` draws them."""
    from mho.analysis.figures.sheet import draw_alone
    from mho.analysis.figures.values.inferred import figures_of  # Matplotlib takes its time

    with RunFile(path) as run:
        for figure in figures_of(run)[:MOST_FIGURES]:
            try:
                sheet = draw_alone(run, figure, PICTURE, DOTS, NEWEST)
            except MhoError as error:
                picture = f'<p class="dim">not drawn: {html(str(error))}</p>'
            else:
                buffer = io.BytesIO()
                sheet.savefig(buffer, format="png", metadata={"Software": None})
                data = base64.b64encode(buffer.getvalue()).decode("ascii")
                picture = f'<img alt="{html(figure.heading)}" src="data:image/png;base64,{data}">'
            # Curves have their title within the picture, maps the name of their map.
            caption = f"<figcaption>{html(figure.heading)}</figcaption>" if figure.is_image else ""
            yield f"<figure>{caption}{picture}</figure>"


def _value(one: Extracted) -> list[str]:
    """Return value, interval and unit of a parameter, in units of a handy size."""
    factor, unit = HANDY.get(one.unit) or handy_unit(one.unit)
    known = one.low is not None or one.high is not None
    interval = f"{_number(one.low, factor)} to {_number(one.high, factor)}" if known else ""
    value = one.value if isinstance(one.value, str) else _number(one.value, factor)
    return [html(value), html(interval), html(unit)]


def _cells_behind(result: Mapping[str, Any], one: Extracted) -> str:
    """Return how many cells a result says that a parameter is of: those of its own part, or all."""
    part = result.get(one.name.partition(".")[0])
    own = part.get("cells") if isinstance(part, Mapping) else None
    return str(result.get("cells", "") if own is None else own)


def _number(value: Number | None, factor: float) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) and factor == 1.0 else f"{value * factor:.4g}"


def _words(name: str) -> str:
    return name.replace("_", " ").replace(".", ", ")


def _dim(text: str) -> str:
    return f'<span class="dim">{html(text)}</span>'


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """Return a table; its cells are HTML already, those of the columns `numbers` are aligned as numbers."""
    titles = f"<tr>{''.join(f'<th>{html(one)}</th>' for one in head)}</tr>" if head else ""
    starts = {True: '<td class="n">', False: "<td>"}
    lines = (
        "".join(f"{starts[place in numbers]}{one}</td>" for place, one in enumerate(row)) for row in rows
    )
    return f"<table>{titles}{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"
