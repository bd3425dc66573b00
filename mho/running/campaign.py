"""Hundreds of runs of one plan on simulated benches, spread over workers, each with a run file, all in one table."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mho.errors import InputError, MhoError, RunFileError
from mho.procedures.conditions import load_conditions
from mho.running.execution import run
from mho.running.failures import failure_reason
from mho.running.plan import Plan, PlannedRun
from mho.runs import GOING_ON, RunFile, Status, outcome_line
from mho.runs.index import plain_results, write_parquet
from mho.runs.paths import MOST_TRIES, path_of_earlier_try

if TYPE_CHECKING:
    from mho.workers import Workers

SAVED = 30.0  # s between two writings of the table, so that a crash leaves one

Row = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """One run of a campaign: its plan, its run file, and how often it is tried."""

    planned: PlannedRun
    seed: int
    path: Path
    tries: int


class Campaign:
    """A plan and the folder in which it is carried out.

    The folder holds ``plan.toml``, ``runs/<number>.h5`` and ``table.parquet``. The run files say what is
    done: a campaign that is carried out again in its folder repeats no finished run.

    Parameters
    ----------
    plan : Plan
    folder : Path
        Made if need be.
    tries : int
        How often a run that fails is tried in all.

    Raises
    ------
    InputError
        For a plan with a bench of real instruments or with steps that go on after others, and for a folder that
        holds another plan.
    """

    def __init__(self, plan: Plan, folder: Path, *, tries: int = 2) -> None:
        for bench, preset in {(planned.bench, planned.preset) for planned in plan.runs}:
            if load_conditions(bench, preset).bench.simulation is None:
                raise InputError(
                    f"bench {bench!r} has real instruments; a campaign runs on simulated benches, several at once: "
                    "put its runs into the queue instead"
                )
        for planned in plan.runs:
            if planned.after is not None:
                raise InputError(
                    f"run {planned.number} of the plan goes on with the chip of run {planned.after}, and the runs of a "
                    "campaign stand alone; run the plan, or put it into the queue"
                )
        kept = folder / "plan.toml"
        try:
            (folder / "runs").mkdir(parents=True, exist_ok=True)
            if kept.exists() and kept.read_text("utf-8") != plan.text:
                raise InputError(
                    f"{folder} holds another plan ({kept}); choose another --output for this one"
                )
            kept.write_text(plan.text, "utf-8")
        except OSError as error:
            raise InputError(f"{folder} cannot be used: {error.strerror}; choose another --output") from None
        self.plan, self.folder = plan, folder
        self.table = folder / "table.parquet"
        self._tries = tries

    def tasks(self) -> Iterator[Task]:
        """Every run, in the order of the plan; those without a seed get one that is always the same."""
        for planned in self.plan.runs:
            seed = planned.seed
            if seed is None:
                seed = int(np.random.SeedSequence(planned.number).generate_state(1)[0])
            path = (self.folder / "runs" / f"{planned.number:06}.h5").resolve()
            yield Task(planned, seed, path, self._tries)

    def carry_out(self, workers: Workers, observe: Callable[[Row], None] = lambda row: None) -> list[Row]:
        """Carry out the remaining runs, and write the table.

        Parameters
        ----------
        workers : Workers
        observe : callable
            Called for each run as it ends, and for those done before.

        Returns
        -------
        list of dict
            The table's rows, in the order of the plan; see `describe_run`.
        """
        rows: dict[int, Row] = {}
        saved = time.monotonic()
        try:
            for done in workers.spread(carry_out, self.tasks()):
                row = done.result
                if row is None:  # a worker died of it again and again, or dask itself gave up
                    reason = f"{type(done.error).__name__}: {done.error}"
                    row = describe_run(done.item, Status.FAILED, reason, {}, done.item.tries)
                rows[row["number"]] = row
                observe(row)
                if time.monotonic() - saved > SAVED:
                    self._save(rows)
                    saved = time.monotonic()
        finally:
            self._save(rows)
        return [rows[number] for number in sorted(rows)]

    def _save(self, rows: Mapping[int, Row]) -> None:
        write_parquet([rows[number] for number in sorted(rows)], self.table)


def carry_out(task: Task) -> Row:
    """Carry out one run and describe its outcome; one that is finished already is only described."""
    reason = ""
    for attempt in range(1, task.tries + 1):
        found = _finished(task)
        if found is not None:
            return found
        planned = task.planned
        try:
            run(planned.make(), planned.bench, seed=task.seed, preset=planned.preset, output=task.path)
        except MhoError as error:
            reason = str(error)
        except Exception as error:  # a flaw of one run must not end the campaign; the table says what it was
            reason = failure_reason(error)
        else:
            finished = _finished(task, attempt)
            if finished is not None:
                return finished
    return describe_run(task, Status.FAILED, reason, {}, task.tries)


def _finished(task: Task, attempt: int = 0) -> Row | None:
    """Describe the run if its file says *finished*; else put that file out of the way."""
    try:
        with RunFile(task.path) as file:
            if file.status is Status.FINISHED:
                outcome = outcome_line(file.status, "", file.conclusion, named=False)
                return describe_run(task, file.status, "", file.summary, attempt, outcome)
            if file.status in GOING_ON:
                raise InputError(f"{task.path} is being written by another process; wait until it has ended")
    except RunFileError:
        if not task.path.exists():
            return None
    aside = path_of_earlier_try(task.path)
    if aside is None:
        raise InputError(f"{task.path} was tried {MOST_TRIES} times; look into its .failed files")
    task.path.rename(aside)
    return None


def describe_run(
    task: Task, status: Status, reason: str, summary: Mapping[str, Any], attempt: int, conclusion: str = ""
) -> Row:
    """Return the row of a run: what was planned, how it ended, and the plain numbers of its summary.

    `attempts` is 0 for a run that was finished before.
    """
    planned = task.planned
    row: Row = {
        "number": planned.number,
        "procedure": planned.procedure,
        "status": str(status),
        "reason": reason,
        "conclusion": conclusion or reason,
        "attempts": attempt,
        "file": f"runs/{task.path.name}" if task.path.exists() else "",
        "bench": planned.bench,
        "preset": planned.preset,
        "seed": task.seed,
    }
    row |= {f"parameter.{key}": value for key, value in planned.parameters.items()}
    row |= {f"result.{key}": value for key, value in plain_results(summary).items() if value is not None}
    return row
