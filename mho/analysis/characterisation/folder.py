"""The runs of a folder, in the order of its plan where it has one: which are there, which are not, and how they ended."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mho.errors import InputError, MhoError, RunFileError
from mho.input_files import check_ordinary
from mho.runs import RunFile, Status, outcome_line
from mho.toml import load_toml

PLAN, V_WL = "plan.toml", "V_WL"
NUMBERED = re.compile(r"(\d+)-.*\.h5")
MOST_RUNS = 100
QUIET = ("DEBUG", "INFO")
"""Levels of the log that are no warning."""


@dataclass(frozen=True)
class RunFacts:
    """What a page says of a run.

    Attributes
    ----------
    step : int or None
        Number of the plan's step that it was made for.
    varied : str
        What a response run varies; "" of other runs, and of the word line.
    trouble : str
        Why the file cannot be read; the rest is empty then.
    """

    path: Path
    step: int | None
    trouble: str = ""
    procedure: str = ""
    varied: str = ""
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
    """A step as a plan names it, with the runs that were made for it."""

    number: int
    procedure: str
    name: str
    runs: tuple[RunFacts, ...]

    @property
    def finished(self) -> RunFacts | None:
        """The run that came to its end; None where there is none."""
        return next((run for run in self.runs if run.finished), None)


@dataclass(frozen=True)
class Folder:
    """What there is.

    Attributes
    ----------
    title, description : str
        The plan's.
    steps : tuple of PlannedStep
        Empty without a plan.
    others : tuple of RunFacts
        Runs that belong to no step.
    """

    title: str
    description: str
    steps: tuple[PlannedStep, ...]
    others: tuple[RunFacts, ...]

    @property
    def runs(self) -> tuple[RunFacts, ...]:
        """All of them, in order."""
        return (*(run for step in self.steps for run in step.runs), *self.others)


def read_folder(folder: Path) -> Folder:
    """Return what a folder holds.

    Raises
    ------
    InputError
        There is no such folder, nothing in it to report on, or a plan that cannot be read.
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
        PlannedStep(
            number,
            str(one.get("procedure", "")),
            str(one.get("name") or one.get("procedure", "")),
            tuple(run for run in runs if run.step == number),
        )
        for number, one in enumerate(planned, 1)
    )
    others = tuple(run for run in runs if run.step is None or not 1 <= run.step <= len(steps))
    return Folder(
        str(plan.get("name", "")) or folder.resolve().name, str(plan.get("description", "")), steps, others
    )


def _plan(folder: Path) -> dict[str, Any]:
    path = folder / PLAN
    if not path.is_file():
        return {}
    try:
        check_ordinary(path)
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise InputError(f"cannot read plan {path} ({reason}); take it away, or put it in order") from None
    return load_toml(text, f"plan {path}", InputError)


def _varied(run: RunFile) -> str:
    """Return what a response run varies beside the word line."""
    against = run.parameters.get("against") if run.procedure == "Response" else None
    return "" if against is None or against.value == V_WL else str(against.value)


def run_facts(path: Path) -> RunFacts:
    """Return what a page says of the run in a file; one that cannot be read says why."""
    named = NUMBERED.fullmatch(path.name)
    step = int(named.group(1)) if named else None
    try:
        with RunFile(path) as run:
            kept = run.provenance
            told = kept.get("step", "")
            return RunFacts(
                path=path,
                step=int(told) if told.isdecimal() else step,
                procedure=run.procedure,
                varied=_varied(run),
                title=run.title,
                status=str(run.status),
                outcome=outcome_line(run.status, run.reason, run.conclusion),
                started=f"{run.start_time:%Y-%m-%d %H:%M:%S}",
                cells=run.cells,
                left_out=kept.get("left_out", ""),
                warnings=tuple(entry.message for entry in run.log() if entry.level not in QUIET),
                bench=_name(run.bench),
                chip=_name(run.chip),
                preset=kept.get("preset", ""),
                seed=kept.get("seed", ""),
                version=" ".join(
                    filter(None, (kept.get("mho_version", ""), kept.get("git_commit", "")[:12]))
                ),
                result=run.summary,
                units=run.result_units,
            )
    except MhoError as error:
        return RunFacts(path, step, str(error))


def _name(text: str) -> str:
    """Return the name that a bench file or chip map gives itself; "" where it cannot be read."""
    try:
        return str(load_toml(text, "a file", RunFileError).get("name", ""))
    except RunFileError:
        return ""
