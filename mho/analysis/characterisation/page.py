"""The page about the runs of a folder, in the order of its plan: extracted parameters, figures, what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mho.analysis.characterisation.extracted import Extracted, extracted
from mho.analysis.characterisation.folder import Folder, PlannedStep, RunFacts, read_folder
from mho.analysis.characterisation.headlines import headline
from mho.analysis.documents import (
    BAD,
    DIM,
    Block,
    Document,
    Facts,
    Heading,
    Paragraph,
    Picture,
    Pictures,
    Span,
    Words,
    grid,
    joined,
    map_texts,
    save_page,
    without_folders,
)
from mho.analysis.figures import compose, figures_of, gather
from mho.analysis.reports import handy_unit
from mho.errors import InputError, MhoError
from mho.runs import RunFile

REPORT = "report.html"
MOST_FIGURES = 12  # of a run

Number = int | float


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
    target = folder / REPORT if output is None else output
    if target.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"{target} is no page; give a name that ends in .html")
    return save_page(characterisation_document(folder, reasons=reasons), target)


def characterisation_document(
    folder: Path, *, reasons: Mapping[str, str] | None = None, personal: bool = False
) -> Document:
    """Return the page as `write_report` writes it; errors as there.

    Parameters
    ----------
    personal : bool
        Show folders in the texts too.
    """
    found = read_folder(folder)
    # Of up to a hundred runs: pixels keep the page small.
    document = Document(
        found.title, tuple(_body(found, folder, reasons or {})), found.description, pixels=True
    )
    return document if personal else map_texts(document, without_folders)


def _body(found: Folder, folder: Path, reasons: Mapping[str, str]) -> Iterator[Block]:
    superseded = [
        run for step in found.steps if step.finished for run in step.runs if run is not step.finished
    ]
    if found.description:
        yield Paragraph(found.description, DIM)
    yield _facts(found, folder)
    if found.steps:
        yield Heading("Steps")
        yield _steps(found.steps, reasons)
    yield from _left_out(found)
    yield from _headlines(found)
    for run in found.runs:
        if run not in superseded:
            yield from _run(run)


def _facts(found: Folder, folder: Path) -> Facts:
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
    }
    return Facts(tuple((name, text) for name, text in facts.items() if text))


def _steps(steps: Sequence[PlannedStep], reasons: Mapping[str, str]) -> Block:
    rows: list[tuple[Words, ...]] = []
    for step in steps:
        done = step.finished
        others = [run for run in step.runs if run is not done]
        state: Words = "finished" if done else (others[-1].status or "unreadable") if others else "missing"
        said: Words
        if done is not None:
            said = Span(done.path.name, link=done.path.stem)
        else:
            state = Span(str(state), BAD)
            unknown = "" if others else "no run file: not begun, skipped, refused by the bench, or deleted"
            said = reasons.get(str(step.number), unknown)
        told = joined([one for one in (said, *map(_attempt, others)) if one])
        rows.append((str(step.number), step.procedure, state, told))
    return grid(("", "step", "", ""), rows, caption="Steps of the plan")


def _attempt(run: RunFacts) -> Words:
    """Return what came of an attempt that did not finish."""
    why = run.trouble or run.outcome
    return f"{run.path.name}: ", Span(why, BAD)


def _left_out(found: Folder) -> Iterator[Block]:
    rows = [(run.path.name, run.left_out) for run in found.runs if run.left_out and run.finished]
    if rows:
        yield Heading("Broken cells, left out")
        yield grid(("run", "cells"), rows, caption="Broken cells, left out")


def _headlines(found: Folder) -> Iterator[Block]:
    rows: list[tuple[Words, ...]] = []
    for run in found.runs:
        if not run.finished or run.result is None:
            continue
        kind = f"{run.procedure}, {run.varied}" if run.varied else run.procedure
        for what, one in headline(kind, extracted(run.result, run.units or {})):
            link = Span(run.path.name, link=run.path.stem)
            rows.append((what, *_value(one), _cells_behind(run.result, one), link))
    if rows:
        yield Heading("Device parameters")
        head = ("parameter", "value", "95 % interval", "unit", "cells", "run")
        yield grid(head, rows, numbers=(1, 2, 4), caption="Device parameters")


def _run(run: RunFacts) -> Iterator[Block]:
    yield Heading(run.title or run.path.name, anchor=run.path.stem)
    if run.trouble:
        yield Paragraph(run.trouble, BAD)
        return
    told = ", ".join(filter(None, (run.path.name, run.procedure, run.cells, run.started, run.outcome)))
    yield Paragraph(told, DIM)
    for warning in run.warnings:
        yield Paragraph(warning, BAD)
    found = extracted(run.result or {}, run.units or {})
    if found:
        rows = [(_words(one.name), *_value(one)) for one in found]
        head = ("parameter", "value", "95 % interval", "unit")
        yield grid(head, rows, numbers=(1, 2), caption="Parameters of this run")
    yield Pictures(tuple(_pictures(run.path)))


def _pictures(path: Path) -> Iterator[Picture]:
    """Yield a run's declared figures, drawn as `mho plot` draws them."""
    with RunFile(path) as run:
        for figure in figures_of(run)[:MOST_FIGURES]:
            try:
                yield Picture(figure.heading, compose(figure, [gather(run, figure)]))
            except MhoError as error:
                yield Picture(figure.heading, trouble=str(error))


def _value(one: Extracted) -> tuple[str, str, str]:
    """Return value, interval and unit of a parameter, in units of a handy size."""
    factor, unit = handy_unit(one.unit)
    known = one.low is not None or one.high is not None
    interval = f"{_number(one.low, factor)} to {_number(one.high, factor)}" if known else ""
    value = one.value if isinstance(one.value, str) else _number(one.value, factor)
    return value, interval, unit


def _cells_behind(result: Mapping[str, object], one: Extracted) -> str:
    """Return how many cells a result says that a parameter is of: those of its own part, that were measured, or all."""
    part = result.get(one.name.partition(".")[0])
    places = [part] if isinstance(part, Mapping) else []
    known = [place["cells"] for place in places if place.get("cells") is not None]
    known += [result[name] for name in ("cells_fitted", "measured", "cells") if result.get(name) is not None]
    return str(known[0]) if known else ""


def _number(value: Number | None, factor: float) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) and factor == 1.0 else f"{value * factor:.4g}"


def _words(name: str) -> str:
    return name.replace("_", " ").replace(".", ", ")
