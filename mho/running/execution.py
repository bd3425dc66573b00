"""Runs one procedure in this process: opens the bench, writes the file, and leaves both safe and closed."""

from __future__ import annotations

import dataclasses
import secrets
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import numpy as np

from mho.errors import Aborted, InputError, Interrupted, MhoError, UnsafeError, recorded_name
from mho.instruments import Bench, open_bench
from mho.instruments.bench import STOPPING, handled
from mho.instruments.bench_file import AGREED
from mho.procedures.base import Procedure
from mho.procedures.conditions import check_seed
from mho.procedures.instrument_warnings import overheard
from mho.procedures.origin import bench_key, origin
from mho.procedures.stream import (
    BenchTaken,
    Control,
    Ended,
    MakingSafe,
    NullStream,
    Observer,
    Started,
    Stream,
    announced,
)
from mho.running.results import kept_result
from mho.running.trust import Trust, nobody
from mho.runs import RunHeader, RunWriter, Status, collect, new_run_path
from mho.runs.index.card import read_card
from mho.runs.provenance import input_files


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
    provenance: Mapping[str, str] | None = None,
    trust: Trust = nobody,
) -> Any:
    """Run a procedure and return its result, `path` filled in.

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
        The run file of an earlier attempt; kept in the file, and offered to the procedure as `resume_from`.
    provenance : mapping, optional
        What else to keep about where the run comes from, text by name.
    trust : callable
        Asked for code that the run files behind `after` name and that is none of mho's own, see `mho.running.trust`.

    Raises
    ------
    MhoError
        For what is wrong with the input, before a file exists or anything is sent.
    """
    started = time.monotonic()
    check_seed(seed)
    if seed is None:
        seed = secrets.randbits(32)
    notes = dict(provenance or {})
    if resume_of is not None:
        procedure.resume_from = Path(resume_of)
        notes["resume_of"] = str(resume_of)
    procedure.check()
    AGREED.add(origin(procedure, None)["procedure"])
    path = new_run_path(type(procedure).__name__.lower(), None if output is None else str(output))
    control = control or Control()
    name = bench if isinstance(bench, str) else None
    with (
        _stopping_on_signals(control),
        _opened(bench, preset, seed, after, force, observers, control, trust) as opened,
    ):
        procedure.prepare(opened, np.random.default_rng([seed, 1]))
        control.check_stop()
        header = _header(procedure, opened, seed, origin(procedure, name) | notes)
        with RunWriter.create(path, header, procedure.layout()) as writer:
            stream = Stream(writer, observers, control)
            stream.announce(Started(procedure.run_title(), path))
            outcome = _Outcome(control)
            try:
                with outcome:
                    with (
                        overheard(stream),
                        _made_safe(opened, writer, stream, outcome),
                        control.governing(opened, stream),
                    ):
                        result = procedure.execute(opened, stream)
                    stream.set_summary(_summary(result, time.monotonic() - started, path))
            finally:
                writer.finish(outcome.status, outcome.reason)
                stream.announce(
                    Ended(
                        outcome.status,
                        outcome.reason,
                        path,
                        outcome.safe,
                        outcome.error,
                        outcome.confirmed,
                        outcome.unsafe_reason,
                        outcome.live,
                    )
                )
                opened.past = _past(opened, path)
    if dataclasses.is_dataclass(result) and not isinstance(result, type) and hasattr(result, "path"):
        return dataclasses.replace(result, path=path)
    return result


def evaluate(procedure: Procedure, bench: Bench, *, seed: int) -> Any:
    """Run a procedure on an open bench and return its result; nothing is kept, and nobody watches.

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
    procedure.check()
    procedure.prepare(bench, np.random.default_rng([seed, 1]))
    try:
        return procedure.execute(bench, NullStream())
    finally:
        bench.safe()


def _summary(result: object, seconds: float, path: Path) -> dict[str, Any]:
    """Return what the run file keeps of a result; its own `summary` gets how long it took, and where the file is."""
    kept = kept_result(result)
    took = {"wall_seconds": seconds, "run_file": str(path)}
    if isinstance(own := getattr(result, "summary", None), dict):
        own.update(took)
    return kept | took


def _header(procedure: Procedure, bench: Bench, seed: int, notes: Mapping[str, str]) -> RunHeader:
    parameters = procedure.recorded_parameters()
    return RunHeader(
        title=procedure.run_title(),
        procedure=type(procedure).__name__,
        version=procedure.version,
        parameters=parameters,
        bench=bench.text,
        chip=bench.chip_text,
        cells=procedure.describe_cells(),
        instruments=bench.identities(),
        provenance=collect(seed, sys.argv) | input_files(parameters) | _simulated(bench) | dict(notes),
    )


def _simulated(bench: Bench) -> dict[str, str]:
    """What a simulated bench was besides its file: cells and seed, and the run that left its chip as it is."""
    if bench.simulated is None:
        return {}
    lab = bench.simulated
    return {"preset": lab.chip.preset.name, "chip_seed": str(lab.seed), **bench.past}


def _past(bench: Bench, path: Path) -> dict[str, str]:
    """What the next run on this bench keeps of the one in `path`: on a simulated one, that it found its chip so."""
    if bench.simulated is None:
        return {}
    try:
        identity = read_card(path).facts.run_id
    except MhoError:  # how that run ended must not be covered up; there is no going on from it
        identity = ""
    return {"after": str(path.resolve()), "after_run": identity}


class _Outcome:
    """How the run ended: finished unless an exception says otherwise."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self.status, self.reason, self.safe, self.error = Status.FINISHED, "", False, ""
        self.confirmed: float | None = None  # when the bench was confirmed safe
        self.unsafe_reason = ""  # why it was not
        self.live: tuple[str, ...] = ()  # roles of which it was not

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        broken_off = isinstance(error, KeyboardInterrupt)
        if isinstance(error, Interrupted) or (broken_off and self._control.lost):
            self.status, self.reason = Status.INTERRUPTED, self._control.reason or str(error)
        elif isinstance(error, Aborted) or broken_off:
            self.status, self.reason = Status.ABORTED, str(error) or "interrupted from the keyboard"
        elif error is not None:
            self.error = recorded_name(error)
            self.status, self.reason = Status.FAILED, f"{type(error).__name__}: {error}"


@contextmanager
def _made_safe(bench: Bench, writer: RunWriter, stream: Stream, outcome: _Outcome) -> Iterator[None]:
    """Make the bench safe on the way out and keep its settings; what is not safe is said in the file too."""
    failed = True
    try:
        yield
        failed = False
    finally:
        stream.announce(MakingSafe())
        try:
            bench.safe()
            outcome.safe, outcome.confirmed = True, time.time()
            for name, settings in bench.identities().items():
                writer.set_settings(name, settings)
        except MhoError as error:
            outcome.unsafe_reason = str(error)
            outcome.live = error.live if isinstance(error, UnsafeError) else ()
            stream.say(str(error), "CRITICAL", unsafe=True)
            if not failed:  # else what ended the run is its reason, and must not be covered up
                raise


@contextmanager
def _opened(
    bench: str | Bench,
    preset: str | None,
    seed: int,
    after: str | Path | None,
    force: bool,
    observers: Sequence[Observer],
    control: Control,
    trust: Trust,
) -> Iterator[Bench]:
    if after is not None:
        if not isinstance(bench, str) or preset is not None:
            given = f"preset {preset!r}" if isinstance(bench, str) else "an open bench"
            raise InputError(f"a run after {after} takes bench and cells from there; leave out {given}")
        from mho.running.continuing import continued

        with continued(after, bench_key(bench), observers=observers, control=control, trust=trust) as opened:
            yield opened
    elif isinstance(bench, str):
        taken = partial(announced, observers, BenchTaken())
        with open_bench(bench, preset=preset, seed=seed, force=force, taken=taken) as opened:
            yield opened
    else:
        yield bench


@contextmanager
def _stopping_on_signals(control: Control) -> Iterator[None]:
    """SIGTERM, SIGHUP and Ctrl-C ask for a stop at the next safe point; Ctrl-C after that does not wait for it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def request(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and control.reason:
            raise KeyboardInterrupt(control.reason)
        control.abort(f"{signal.Signals(number).name} received")

    wanted = [
        number
        for number in STOPPING
        # `nohup` says that the run is to outlive its terminal
        if number.name != "SIGHUP" or signal.getsignal(number) is not signal.SIG_IGN
    ]
    with handled(dict.fromkeys(wanted, request)):
        yield
