"""The page about the runs of a folder, in the order of its plan: extracted parameters, figures, what is missing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mho.analysis.figures import compose, figures_of, gather
from mho.analysis.reports import handy_unit, name_text, quantity_text, read_description
from mho.errors import InputError, MhoError
from mho.extensions.report_pages import documents as page
from mho.extensions.report_pages.extracted_parameters import Extracted, extracted
from mho.input_files import read_text
from mho.runs import RunFile, Status, outcome_line
from mho.toml import load_toml

PLAN, V_WL = "plan.toml", "V_WL"
NUMBERED = re.compile(r"(\d+)-.*\.h5")
MOST_RUNS = 100
QUIET = ("DEBUG", "INFO")  # levels of the log that are no warning


@dataclass(frozen=True)
class PageRun:
    """What a page says of a run."""

    path: Path
    step: int | None  # number of the plan's step that it was made for
    trouble: str = ""  # why the file cannot be read; the rest is empty then
    procedure: str = ""
    varied: str = ""  # what a response run varies; "" of other runs, and of the word line
    title: str = ""
    status: str = ""
    outcome: str = ""
    started: str = ""
    cells: str = ""
    left_out: str = ""
    warnings: tuple[str, ...] = ()
    bench: str = ""
    chip: str = ""
    preset: str = ""
    seed: str = ""
    version: str = ""
    result: Mapping[str, Any] | None = None
    units: Mapping[str, str] | None = None

    @property
    def finished(self) -> bool:
        """Whether the run came to its end."""
        return self.status == Status.FINISHED


@dataclass(frozen=True)
class PlannedStep:
    """A step of a plan, with the runs that were made for it."""

    number: int
    procedure: str
    runs: tuple[PageRun, ...]

    @property
    def finished(self) -> PageRun | None:
        """The run that came to its end; None where there is none."""
        return next((run for run in self.runs if run.finished), None)


@dataclass(frozen=True)
class Folder:
    """What there is."""

    title: str  # the plan's
    description: str
    steps: tuple[PlannedStep, ...]  # empty without a plan
    others: tuple[PageRun, ...]  # runs that belong to no step

    @property
    def runs(self) -> tuple[PageRun, ...]:
        """All of them, in order."""
        return (*(run for step in self.steps for run in step.runs), *self.others)


def read_folder(folder: Path) -> Folder:
    """Return what a folder holds.

    Raises `InputError`: there is no such folder, nothing in it to report on, or a plan that cannot be read.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; give the one in which the run files are")
    plan = _plan(folder)
    paths = sorted(folder.glob("*.h5"))
    if len(paths) > MOST_RUNS:
        raise InputError(
            f"{folder} holds {len(paths)} run files, and a page is of {MOST_RUNS} at most; give the folder of one "
            "characterisation"
        )
    runs = [run_facts(path) for path in paths]
    if not runs and not plan:
        raise InputError(f"{folder} holds no run file and no {PLAN}; there is nothing to report on")
    planned = [one for one in plan.get("steps", []) if isinstance(one, dict)]
    steps = tuple(
        PlannedStep(number, str(one.get("procedure", "")), tuple(run for run in runs if run.step == number))
        for number, one in enumerate(planned, 1)
    )
    others = tuple(run for run in runs if run.step is None or not 1 <= run.step <= len(steps))
    title = str(plan.get("name", "")) or folder.resolve().name
    return Folder(title, str(plan.get("description", "")), steps, others)


def _plan(folder: Path) -> dict[str, Any]:
    path = folder / PLAN
    if not path.is_file():
        return {}
    text = read_text(path, InputError, f"cannot read plan {path}", "; take it away, or put it in order")
    return load_toml(text, f"plan {path}", InputError)


def run_facts(path: Path) -> PageRun:
    """Return what a page says of the run in a file; one that cannot be read says why."""
    named = NUMBERED.fullmatch(path.name)
    step = int(named.group(1)) if named else None
    try:
        with RunFile(path) as run:
            provenance = run.provenance
            step_text = provenance.get("step", "")
            against = run.parameters.get("against") if run.procedure == "Response" else None
            bench, chip = (str(read_description(text).get("name", "")) for text in (run.bench, run.chip))
            return PageRun(
                path=path, step=int(step_text) if step_text.isdecimal() else step, procedure=run.procedure,
                varied="" if against is None or against.value == V_WL else str(against.value), title=run.title,
                status=str(run.status),
                outcome=outcome_line(run.status, run.reason, run.conclusion),
                started=f"{run.start_time:%Y-%m-%d %H:%M:%S}", cells=run.cells,
                left_out=provenance.get("left_out", ""),
                warnings=tuple(entry.message for entry in run.log() if entry.level not in QUIET),
                bench=bench, chip=chip, preset=provenance.get("preset", ""),
                seed=provenance.get("seed", ""),
                version=" ".join(filter(None,
                    (provenance.get("mho_version", ""), provenance.get("git_commit", "")[:12]))),
                result=run.summary, units=run.result_units,
            )  # fmt: skip
    except MhoError as error:
        return PageRun(path, step, str(error))


HEADLINES: dict[str, tuple[tuple[str, str], ...]] = {
    "Contact": (("open", "open cells"), ("short", "shorted cells"), ("leaky", "cells with a leaky selector"),
        ("unformed", "unformed cells at the start")),
    "Form": (("yield", "forming yield"), ("median", "forming voltage, median"),
        ("normal_sd", "forming voltage, standard deviation from cell to cell"),
        ("conductance_median", "conductance after forming, median")),
    **dict.fromkeys(("Map", "MapArray"), (("deviation", "standard deviation of a read through the DAQ"),)),
    "IV": (("v_set", "SET voltage at DC, median"),
        ("v_set_device_sd", "SET voltage at DC, from cell to cell"),
        ("v_set_cycle_sd", "SET voltage at DC, from cycle to cycle"),
        ("v_reset", "RESET voltage at DC, median"),
        ("v_reset_device_sd", "RESET voltage at DC, from cell to cell"),
        ("v_reset_cycle_sd", "RESET voltage at DC, from cycle to cycle"),
        ("window", "window at DC, median of LRS/HRS"), ("peak_current", "RESET current")),
    "Response": (("threshold", "word line at which a SET begins"),
        ("slope", "conductance per volt of word line"), ("top", "conductance at which a SET saturates"),
        ("device_spread", "response, from cell to cell"), ("cycle_spread", "response, from pulse to pulse")),
    "Response, V_SL": (("threshold", "source line at which a RESET begins"),
        ("slope", "decrease of ln G per volt of source line"), ("floor", "conductance that a RESET leaves"),
        ("device_spread", "response to RESET, from cell to cell"),
        ("cycle_spread", "response to RESET, from pulse to pulse")),
    "Switching": (("lrs.median", "LRS by pulses, median"),
        ("lrs.cycle_deviation", "LRS, from cycle to cycle"),
        ("lrs.device_deviation", "LRS, from cell to cell"), ("hrs.median", "HRS by pulses, median"),
        ("hrs.cycle_deviation", "HRS, from cycle to cycle"),
        ("hrs.device_deviation", "HRS, from cell to cell"), ("window", "window by pulses, median of LRS/HRS"),
        ("worst_window", "window by pulses, the worst")),
    "Program": (("cells_failed", "cells outside their level after write-verify"),
        ("pulses", "pulses of all cells")),
    "Noise": (("relative_deviation", "read noise of a cell over its conductance"),
        ("slope", "slope of the noise's spectrum (log S over log f)"),
        ("telegraph_share", "share of cells with telegraph noise")),
    "Disturb": ((r"level_(\d+)\.change", "change of level {} by all pulses of the stress, median"),),
    "Retention": ((r"level_(\d+)\.drift", "drift of level {} per decade of time, mean"),
        (r"level_(\d+)\.spread_per_decade", "spread that level {} gains per decade of time"),
        (r"level_(\d+)\.inside", "share of level {} in its window at the last read")),
    "Endurance": (("failed", "cells whose window failed"),
        ("weibull_scale", "cycles to failure, Weibull's scale"),
        ("weibull_shape", "cycles to failure, Weibull's shape"), ("lrs_last", "LRS after all cycles, median"),
        ("hrs_last", "HRS after all cycles, median")),
}  # fmt: skip
"""By the procedure's class, and what a response varies but the word line: pattern of the name in the result, and words."""


def headline(procedure: str, parameters: Sequence[Extracted]) -> Iterator[tuple[str, Extracted]]:
    """Yield the parameters of a run that belong into the first table, each with its words."""
    for pattern, words in HEADLINES.get(procedure, ()):
        for one in parameters:
            match = re.fullmatch(pattern, one.name)
            if match and one.value is not None:
                yield words.format(*match.groups()), one


REPORT = "report.html"
MOST_FIGURES = 12  # of a run


def write_report(
    folder: Path, output: Path | None = None, *, reasons: Mapping[str, str] | None = None
) -> Path:
    """Write the page about the run files in a folder, also where the plan was not carried out to its end; return its path.

    It is ``report.html`` in the folder if no `output` is given; one that is there is replaced. `reasons` are why a step, by
    its number, has no run.

    Raises `InputError`: there is nothing to report on, or the page cannot be written.
    """
    target = folder / REPORT if output is None else output
    if target.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"{target} is no page; give a name that ends in .html")
    return page.save_page(characterisation_document(folder, reasons=reasons), target)


def characterisation_document(
    folder: Path, *, reasons: Mapping[str, str] | None = None, personal: bool = False
) -> page.Document:
    """Return the page as `write_report` writes it, with folders in its texts if `personal`; errors as there."""
    folder_runs = read_folder(folder)
    blocks = tuple(_body(folder_runs, folder, reasons or {}))
    # Of up to a hundred runs: pixels keep the page small.
    document = page.Document(folder_runs.title, blocks, folder_runs.description, pixels=True)
    return document if personal else page.map_texts(document, page.without_folders)


def _body(folder_runs: Folder, folder: Path, reasons: Mapping[str, str]) -> Iterator[page.Block]:
    done = [step for step in folder_runs.steps if step.finished]
    superseded = [run for step in done for run in step.runs if run is not step.finished]
    if folder_runs.description:
        yield page.Paragraph(folder_runs.description, page.DIM)
    yield _facts(folder_runs, folder)
    if folder_runs.steps:
        yield page.Heading("Steps")
        yield _steps(folder_runs.steps, reasons)
    left_out = [(run.path.name, run.left_out) for run in folder_runs.runs if run.left_out and run.finished]
    if left_out:
        yield page.Heading("Broken cells, left out")
        yield page.grid(("run", "cells"), left_out, caption="Broken cells, left out")
    yield from _headlines(folder_runs)
    for run in folder_runs.runs:
        if run not in superseded:
            yield from _run(run)


def _facts(folder_runs: Folder, folder: Path) -> page.FactList:
    def all_of(name: str) -> str:
        return ", ".join(dict.fromkeys(filter(None, (getattr(run, name) for run in folder_runs.runs))))

    presets = all_of("preset")
    started = [run.started for run in folder_runs.runs if run.started]
    facts = {
        "folder": folder.resolve().name,
        "chip": all_of("chip"),
        "bench": all_of("bench") + (f" - SIMULATED, preset {presets}" if presets else ""),
        "measured": f"{min(started)} to {max(started)} (starts of the runs)" if started else "",
        "seed": all_of("seed"),
        "mho": all_of("version"),
    }
    return page.FactList(tuple((name, text) for name, text in facts.items() if text))


def _steps(steps: Sequence[PlannedStep], reasons: Mapping[str, str]) -> page.Block:
    rows: list[tuple[page.Words, ...]] = []
    for step in steps:
        done = step.finished
        others = [run for run in step.runs if run is not done]
        state: page.Words = (
            "finished" if done else (others[-1].status or "unreadable") if others else "missing"
        )
        outcome: page.Words
        if done is not None:
            outcome = page.TextSpan(done.path.name, link=done.path.stem)
        else:
            state = page.TextSpan(str(state), page.BAD)
            unknown = "" if others else "no run file: not begun, skipped, refused by the bench, or deleted"
            outcome = reasons.get(str(step.number), unknown)
        failed = [
            (f"{run.path.name}: ", page.TextSpan(run.trouble or run.outcome, page.BAD)) for run in others
        ]
        words = page.joined([one for one in (outcome, *failed) if one])
        rows.append((str(step.number), step.procedure, state, words))
    return page.grid(("", "step", "", ""), rows, caption="Steps of the plan")


def _headlines(folder: Folder) -> Iterator[page.Block]:
    rows: list[tuple[page.Words, ...]] = []
    for run in folder.runs:
        if not run.finished or run.result is None:
            continue
        kind = f"{run.procedure}, {run.varied}" if run.varied else run.procedure
        for what, one in headline(kind, extracted(run.result, run.units or {})):
            link = page.TextSpan(run.path.name, link=run.path.stem)
            rows.append((what, *_value(one), _cells_behind(run.result, one), link))
    if rows:
        yield page.Heading("Device parameters")
        head = ("parameter", "value", "95 % interval", "unit", "cells", "run")
        yield page.grid(head, rows, numbers=(1, 2, 4), caption="Device parameters")


def _run(run: PageRun) -> Iterator[page.Block]:
    yield page.Heading(run.title or run.path.name, anchor=run.path.stem)
    if run.trouble:
        yield page.Paragraph(run.trouble, page.BAD)
        return
    line = ", ".join(filter(None, (run.path.name, run.procedure, run.cells, run.started, run.outcome)))
    yield page.Paragraph(line, page.DIM)
    for warning in run.warnings:
        yield page.Paragraph(warning, page.BAD)
    parameters = extracted(run.result or {}, run.units or {})
    if parameters:
        rows = [(name_text(one.name), *_value(one)) for one in parameters]
        head = ("parameter", "value", "95 % interval", "unit")
        yield page.grid(head, rows, numbers=(1, 2), caption="Parameters of this run")
    pictures = []
    with RunFile(run.path) as file:
        for figure in figures_of(file)[:MOST_FIGURES]:
            try:
                pictures.append(page.Picture(figure.heading, compose(figure, [gather(file, figure)])))
            except MhoError as error:
                pictures.append(page.Picture(figure.heading, trouble=str(error)))
    yield page.Pictures(tuple(pictures))


def _value(one: Extracted) -> tuple[str, str, str]:
    """Return value, interval and unit of a parameter, in units of a handy size."""
    return quantity_text(one.value, one.unit, 4)[0], one.interval, handy_unit(one.unit)[1]


def _cells_behind(result: Mapping[str, object], one: Extracted) -> str:
    """Return how many cells a result says that a parameter is of: those of its own part, that were measured, or all."""
    part = result.get(one.name.partition(".")[0])
    places = [part] if isinstance(part, Mapping) else []
    known = [place["cells"] for place in places if place.get("cells") is not None]
    known += [result[name] for name in ("cells_fitted", "measured", "cells") if result.get(name) is not None]
    return str(known[0]) if known else ""
