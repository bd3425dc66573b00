"""Carries one procedure through its phases: bench open, file written, everything safe and closed on every way out."""

from __future__ import annotations

import dataclasses
import secrets
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import numpy as np

from mho.errors import Aborted, Interrupted, MhoError, UnsafeError, recorded_name
from mho.instruments import Bench
from mho.instruments.bench import STOPPING, HandledSignals
from mho.instruments.bench_file import AGREED
from mho.instruments.simulated import CELL_PRESETS, preset_text
from mho.procedures.base import Procedure
from mho.procedures.conditions import check_seed
from mho.procedures.instrument_warnings import warnings_recorded
from mho.procedures.origin import origin
from mho.procedures.own_code import source_of
from mho.procedures.stream import Control, Ended, MakingSafe, Observer, Started, Stream
from mho.running.conclusions import conclusion_of
from mho.running.cutting import Cut
from mho.running.failures import failure_reason, failure_trace
from mho.running.openers import Opener, Opening, note_left
from mho.running.results import kept_result, losses, losses_in_words
from mho.runs import Conclusion, RunHeader, RunWriter, Status, collect, new_run_path
from mho.runs.provenance import input_files


def carry_out(
    procedure: Procedure,
    opener: Opener,
    *,
    seed: int | None = None,
    output: str | Path | None = None,
    observers: Sequence[Observer] = (),
    control: Control | None = None,
    provenance: Mapping[str, str] | None = None,
    cut: Cut | None = None,
) -> Any:
    """Run a procedure on the bench that `opener` opens, and return its result, `path` filled in.

    A run that is repeated up to a `cut` raises `CutShort` there. The other parameters, and the errors, are those of
    `mho.run`.
    """
    started = time.monotonic()
    check_seed(seed)
    seed = secrets.randbits(32) if seed is None else seed
    control = control or Control()
    given = procedure.check()
    came_from = origin(procedure)
    AGREED.add(came_from["procedure"])
    path = new_run_path(type(procedure).__name__.lower(), None if output is None else str(output))
    with _stopping_on_signals(control), opener(Opening(seed, observers, control)) as opened:
        bench = opened.bench
        plan = procedure.prepare(given, bench, np.random.default_rng([seed, 1]))
        control.check_stop()
        if not opened.goes_on:
            bench.damage.begin()
        notes = {**came_from, **opened.notes, **(provenance or {})}
        header = _header(procedure, plan, bench, seed, notes)
        with RunWriter.create(path, header, procedure.layout(plan)) as writer:
            stream = Stream(writer, observers, control, opened.earlier, opened.chip_kept)
            if cut is not None:
                cut.watch(stream)
            stream.announce(Started(header.title, path))
            outcome = _Outcome(control)
            conclusion = Conclusion()
            try:
                with outcome:
                    if bench.simulated is not None and bench.simulated.chip.preset.warning:
                        stream.say(bench.simulated.chip.preset.warning, "WARNING")
                    with (
                        warnings_recorded(stream),
                        _made_safe(bench, writer, stream, outcome),
                        control.governing(bench, stream),
                        _losses_said(bench, stream),
                    ):
                        result = procedure.execute(plan, bench, stream)
                    took = {"wall_seconds": time.monotonic() - started, "run_file": str(path)}
                    took |= losses(bench.damage)
                    kept = kept_result(result)
                    stream.set_result(kept.values | took, kept.units | {"wall_seconds": "s"})
                    conclusion = conclusion_of(procedure, plan, result, kept, writer.lengths())
            finally:
                if outcome.trace:
                    with suppress(MhoError):  # a file that cannot be written must not cover up the error
                        writer.log("ERROR", outcome.trace)
                with suppress(MhoError):
                    conclusion = writer.conclude(replace(conclusion, unsafe=outcome.unsafe_reason))
                with suppress(MhoError):
                    writer.set_formed(bench.forming.text())
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
                        conclusion,
                    )
                )
                note_left(bench, path)
    return _filled_in(result, path, took)


def _filled_in(result: Any, path: Path, took: Mapping[str, Any]) -> Any:
    """Return a result that has a `path` with its run file's, and its `summary` with how long the run took."""
    if not dataclasses.is_dataclass(result) or isinstance(result, type) or not hasattr(result, "path"):
        return result
    own = getattr(result, "summary", None)
    known = {"summary": {**own, **took}} if isinstance(own, dict) else {}
    return dataclasses.replace(result, path=path, **known)


def _header(procedure: Procedure, plan: Any, bench: Bench, seed: int, notes: Mapping[str, str]) -> RunHeader:
    parameters = procedure.recorded_parameters(plan)
    return RunHeader(
        title=procedure.run_title(),
        procedure=type(procedure).__name__,
        version=procedure.version,
        parameters=parameters,
        source=source_of(type(procedure)),
        bench=bench.text,
        chip=bench.chip_text,
        defects=bench.defects_text,
        formed=bench.forming.text(),
        formed_bytes=bench.forming.most_bytes,
        cells=procedure.describe_cells(plan),
        instruments=bench.identities(),
        provenance=collect(seed, sys.argv) | input_files(parameters) | _simulated(bench) | dict(notes),
    )


def _simulated(bench: Bench) -> dict[str, str]:
    """Return the properties of a simulated bench that are not in its file: cells and seed."""
    if bench.simulated is None:
        return {}
    preset = bench.simulated.chip.preset
    own = {} if preset.name in CELL_PRESETS else {"preset_file": preset_text(preset)}
    return {"preset": preset.name, "chip_seed": str(bench.simulated.seed)} | own


class _Outcome:
    """Outcome of the run: finished unless there was an exception."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self.status, self.reason, self.safe, self.error = Status.FINISHED, "", False, ""
        self.trace = ""  # steps of a user's own code in an error's traceback
        self.confirmed: float | None = None  # time at which the bench was confirmed safe
        self.unsafe_reason = ""  # reason why it was not
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
            self.error, self.trace = recorded_name(error), failure_trace(error)
            self.status, self.reason = Status.FAILED, failure_reason(error)


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
            _check_twins(bench)
            outcome.safe, outcome.confirmed = True, time.time()
            for name, settings in bench.identities().items():
                writer.set_settings(name, settings)
        except MhoError as error:
            outcome.unsafe_reason = str(error)
            outcome.live = error.live if isinstance(error, UnsafeError) else ()
            stream.say(str(error), "CRITICAL", unsafe=True)
            if not failed:  # else what ended the run is its reason, and must not be covered up
                raise


def _check_twins(bench: Bench) -> None:
    """Read a simulated bench at its wires: code of the user's own may have replaced what makes it safe.

    Real instruments are read back by a fresh process (`mho.running.safety_statement`).

    Raises
    ------
    UnsafeError
        Naming the roles that are still on.
    """
    live = () if bench.simulated is None else bench.simulated.live()
    if live:
        raise UnsafeError(
            f"NOT SAFE: the simulated {' and '.join(live)} is still on, though the bench says that it is safe; see to "
            "the procedure's or the driver's own `safe`",
            live=live,
        )


@contextmanager
def _losses_said(bench: Bench, stream: Stream) -> Iterator[None]:
    """Say, however a run ends, which cells its own pulses have destroyed: they are no defects of the chip's own."""
    try:
        yield
    finally:
        if words := losses_in_words(bench.damage):
            with suppress(MhoError):  # a file that cannot be written must not cover up the error
                stream.say(words, "WARNING")


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
    with HandledSignals(dict.fromkeys(wanted, request)):
        yield
