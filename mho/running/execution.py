"""Runs one procedure in this process: on a bench by name, on an open one, or on the chip that an earlier run left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mho.errors import InputError
from mho.instruments import Bench
from mho.procedures.base import Procedure
from mho.procedures.origin import bench_key
from mho.procedures.stream import Control, NullStream, Observer
from mho.running.continuing import going_on_from
from mho.running.notebook_progress import notebook_observers
from mho.running.openers import Opener, already_open, named, recalling, taking_up
from mho.running.phases import carry_out
from mho.running.safety_statement import own_code_read_back
from mho.running.trust import Trust, nobody
from mho.runs import Labels


def run(
    procedure: Procedure,
    bench: str | Bench = "simulated",
    *,
    seed: int | None = None,
    preset: str | None = None,
    after: str | Path | None = None,
    force: bool = False,
    output: str | Path | None = None,
    observers: Sequence[Observer] = (),
    control: Control | None = None,
    resume_of: str | Path | None = None,
    same_chip: Sequence[Path] = (),
    provenance: Mapping[str, str] | None = None,
    labels: Labels | None = None,
    trust: Trust = nobody,
) -> Any:
    """Run a procedure and return its result, `path` filled in.

    In a notebook its progress is shown below the cell, and the run itself when it is over.

    Parameters
    ----------
    procedure : Procedure
    bench : str or Bench
        A bench name or file, or a bench that is open already (it is made safe and stays open).
    seed : int, optional
        Of everything random: simulated cells and the plan. A fresh one is drawn, and kept in the file.
    preset : str, optional
        Cell preset of a simulated bench.
    after : path, optional
        A finished run on the same simulated bench: its chip is gone on with, by repeating it first.
    force : bool
        Take limits of a bench file that can hardly be meant as they are.
    output : path, optional
        Run file (``.h5``) or folder; default ``data/runs`` or ``MHO_RUNS``.
    observers : sequence of callables
        Called with every event of the run, in this thread.
    control : Control, optional
        Through which another thread may pause and stop the run.
    resume_of : path, optional
        The run file of an earlier attempt; kept in the file, and offered to the procedure as `stream.earlier`.
    same_chip : sequence of paths
        Run files of earlier runs on the chip: a bench of real instruments learns from them which cells are formed.
    provenance : mapping, optional
        Further provenance to store, text by name.
    labels : Labels, optional
        Sample, operator and project; by default those of the user's environment.
    trust : callable
        Asked for code that the run files behind `after` name and that is none of mho's own, see `mho.running.trust`.

    Raises
    ------
    MhoError
        For what is wrong with the input, before a file exists or anything is sent.
    UnsafeError
        Code of one's own (the procedure, its strategy, a driver of the bench file) took a bench of real instruments for
        safe, and a fresh process, which reads its outputs back after the run, found one on.
    """
    labels = Labels.from_environment() if labels is None else labels
    opener = recalling(same_chip, _opener(bench, preset, after, force, trust))
    if resume_of is not None:
        opener = taking_up(Path(resume_of).absolute(), opener)
    with own_code_read_back(procedure, bench, observers) as safety:
        return carry_out(
            procedure,
            opener,
            seed=seed,
            output=output,
            observers=(*observers, *safety, *notebook_observers()),
            control=control,
            provenance={**(provenance or {}), **labels.given()},
        )


def _opener(
    bench: str | Bench, preset: str | None, after: str | Path | None, force: bool, trust: Trust
) -> Opener:
    """Return what opens the bench of a run."""
    if after is not None:
        if not isinstance(bench, str) or preset is not None:
            given = f"preset {preset!r}" if isinstance(bench, str) else "an open bench"
            raise InputError(f"a run after {after} takes bench and cells from there; leave out {given}")
        return going_on_from(after, bench_key(bench), trust)
    return named(bench, preset, force) if isinstance(bench, str) else already_open(bench)


def evaluate(procedure: Procedure, bench: Bench, *, seed: int) -> Any:
    """Run a procedure on an open bench and return its result, without a run file or observers.

    For thousands of runs on a bench without instruments. The bench is made safe and stays open.

    Parameters
    ----------
    procedure : Procedure
    bench : Bench
    seed : int
        Of the plan; the bench has its own.

    Raises
    ------
    MhoError
        As `run`.
    """
    plan = procedure.prepare(procedure.check(), bench, np.random.default_rng([seed, 1]))
    try:
        return procedure.execute(plan, bench, NullStream())
    finally:
        bench.safe()
