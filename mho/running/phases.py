"""Carries one procedure through its phases: bench open, file written, everything safe and closed on every way out.

An opener gives a run its bench for as long as the run lasts: by name, already open, or as an earlier attempt left it.
"""

from __future__ import annotations

import dataclasses
import logging
import math
import os
import secrets
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Self, cast
from weakref import WeakKeyDictionary

import numpy as np

from mho import platforms
from mho.errors import Aborted, InputError, Interrupted, MhoError, UnsafeError, recorded_name
from mho.input_files import bench_key
from mho.instruments import Bench, open_bench
from mho.instruments.bench import STOPPING, HandledSignals
from mho.instruments.bench_file import BenchSource, load_bench_file, packaged_benches
from mho.instruments.simulated import CELL_PRESETS, Cells, preset_text
from mho.keywords import seed_number
from mho.own_code import AGREED, name_of, source_of, source_record
from mho.procedures.base import Procedure, Result
from mho.procedures.chip_in_use import on_chip, recall_formed
from mho.procedures.needs import check_needs
from mho.procedures.stream import BenchTaken, Control, Ended, MakingSafe, Observer, Started, Stream, announced
from mho.running import results
from mho.running.gauges import own_lengths, readings_taken, with_readings
from mho.runs import Conclusion, RunHeader, Status, returned

if TYPE_CHECKING:  # what a run without a file need not wait for
    from mho.instruments.simulated import Circuit
    from mho.runs import RunWriter


@dataclass(frozen=True)
class OpenedBench:
    """A bench that a run may use."""

    bench: Bench
    notes: Mapping[str, str] = field(default_factory=dict)  # provenance for the run file, text by name
    earlier: Path | None = None  # run file of an interrupted attempt, whose results may be reused

    @property
    def chip_kept(self) -> bool:
        """Whether the chip is that of the interrupted attempt, as it was left: real, or in the state of its last row."""
        after = self.notes.get("after", "")
        same = self.earlier is not None and bool(after) and Path(after).resolve() == self.earlier.resolve()
        return same or self.bench.simulated is None

    @property
    def goes_on(self) -> bool:
        """Whether an interrupted attempt goes on with the simulated chip on which it was repeated just before."""
        return self.bench.simulated is not None and self.earlier is not None and self.chip_kept


@dataclass(frozen=True)
class Opening:
    """Arguments of an opener from the run: its seed, observers, control, and what refuses a bench before it is opened."""

    seed: int
    observers: Sequence[Observer]
    control: Control
    check: Callable[[BenchSource], object] = lambda source: (
        None
    )  # refuses a bench that the run cannot be carried out on


Opener = Callable[[Opening], AbstractContextManager[OpenedBench]]


def opener_of(
    bench: str, preset: Cells | None = None, force: bool = False, circuit: Circuit | None = None
) -> Opener:
    """Return the opener of a bench by its name or file; parameters as for `mho.run`."""

    @contextmanager
    def opener(opening: Opening) -> Iterator[OpenedBench]:
        if bench not in packaged_benches():  # which are simulated, so that opening one sends nothing
            opening.check(load_bench_file(bench))
        taken = partial(announced, opening.observers, BenchTaken())
        with open_bench(
            bench, preset=preset, circuit=circuit, seed=opening.seed, force=force, taken=taken
        ) as opened:
            yield OpenedBench(opened, {"bench": bench_key(bench)})

    return opener


def already_open(bench: Bench) -> Opener:
    """Return the opener of a bench that is open, and stays so; it notes which run has left its chip as it is.

    A bench is one thread's at a time: to a second one it raises `BenchInUseError`.
    """

    @contextmanager
    def opener(opening: Opening) -> Iterator[OpenedBench]:
        with bench.taken_by_thread():
            yield OpenedBench(bench, _left_by.get(bench, {}))

    return opener


def with_earlier(earlier: Path | None, opener: Opener, same_chip: Sequence[Path] = ()) -> Opener:
    """Return an opener as `opener`, for a run that takes up the attempt in the run file `earlier`, if there is one.

    A bench of real instruments knows which cells were formed in it, and in the runs on the same chip before.
    """

    @contextmanager
    def taken_up(opening: Opening) -> Iterator[OpenedBench]:
        with opener(opening) as opened:
            for path in (*same_chip, *filter(None, [earlier])):
                recall_formed(opened.bench, path)
            if earlier is not None:
                notes = {**opened.notes, "resume_of": str(earlier)}
                opened = replace(opened, notes=notes, earlier=earlier)
            yield opened

    return taken_up


UNKEPT = "after_unkept"  # provenance of a run whose chip a run without a file had used before

# Beside the benches, not on them: a user calls `run` twice with an open bench and hands nothing from one to the other.
_left_by: WeakKeyDictionary[Bench, dict[str, str]] = WeakKeyDictionary()


def note_left(bench: Bench, path: Path) -> None:
    """Remember, as long as a simulated bench is open, that its chip is as the run in the file at `path` has left it."""
    if bench.simulated is None:
        return
    try:
        from mho.runs.index import read_card

        identity = read_card(path).facts.run_id
    except MhoError:  # the end of that run must not be hidden; it cannot be continued
        identity = ""
    _left_by[bench] = {"after": str(path.resolve()), "after_run": identity}


def note_used(bench: Bench, by: str = "a run without a file") -> None:
    """Remember what no file can repeat has used a simulated chip: no later run on it can be repeated."""
    if bench.simulated is not None:
        _left_by[bench] = {UNKEPT: by}


class _WarningHandler(logging.Handler):
    """Passes warnings and errors to a stream; the run itself reports critical ones."""

    def __init__(self, stream: Stream) -> None:
        super().__init__(logging.WARNING)
        self._stream, self._thread = stream, threading.get_ident()

    def filter(self, record: logging.LogRecord) -> bool:
        """Accept only records of the run's own thread, which alone may write its file, and not of a run within the run."""
        own = [
            one
            for one in logging.getLogger("mho.instruments").handlers
            if isinstance(one, _WarningHandler) and one._thread == record.thread
        ]
        return own[-1:] == [self] and record.levelno < logging.CRITICAL

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record; a file that cannot be written must not keep an instrument from being made safe."""
        try:
            self._stream.say(record.getMessage(), "ERROR" if record.levelno >= logging.ERROR else "WARNING")
        except Exception:
            self.handleError(record)


@contextmanager
def warnings_recorded(stream: Stream) -> Iterator[None]:
    """Write warnings of the instruments' loggers to `stream` within the block."""
    handler, logger = _WarningHandler(stream), logging.getLogger("mho.instruments")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


class CutShort(Exception):
    """The repetition has come as far as the run that it repeats."""


class Cut:
    """The place at which a run was cut short.

    `table`: the table in which it has all that it did to cells, row by row.
    """

    def __init__(self, path: Path, table: str) -> None:
        self._path, self._table = path, table
        from mho.runs import RunFile

        with RunFile(path) as run:
            self.rows = run.length(table)  # how many rows the file holds of it
        self._so_far = 0

    def watch(self, stream: Stream) -> None:
        """Let a stream raise `CutShort` as soon as it has recorded as many rows."""
        stream.record = self._counted(stream.record, lambda values: 1)
        stream.record_block = self._counted(
            stream.record_block, lambda values: len(next(iter(values.values()), ()))
        )

    def check_equal(self, copy: Path) -> None:
        """Raise `InputError` unless the repetition in the file `copy` has the same rows.

        Of a pulse whose verify read was cut short nothing else is known than the pulse.
        """
        from mho.runs import RunFile

        with RunFile(self._path) as run, RunFile(copy) as again:
            then, now = run.table(self._table), again.table(self._table)
        known = np.ones(self.rows, bool)
        for values in then.values():
            known &= ~np.isnan(values[: self.rows])
        for name, values in then.items():
            repeated = now[name][: self.rows]
            if len(repeated) < self.rows or not np.array_equal(values[: self.rows][known], repeated[known]):
                raise InputError(
                    f"nothing can go on with the chip of {self._path}: repeated here it comes out differently "
                    f"({self._table}/{name}); `mho rerun` says what has changed since"
                )

    def _counted(
        self, record: Callable[..., None], count: Callable[[Mapping[str, Any]], int]
    ) -> Callable[..., None]:
        def counted(table: str, /, *blocks: Mapping[str, Any], **values: Any) -> None:
            record(table, *blocks, **values)
            if table == self._table:
                self._so_far += count(*blocks) if blocks else count(values)
                if self._so_far >= self.rows:
                    raise CutShort

        return counted


MOST_QUANTITIES = 3  # numbers of a result in a line that no procedure declared
LONGEST_WORD = 40  # characters of a text of a result that such a line has


def conclusion_of(
    procedure: Procedure, plan: Any, result: object, stored: results.StoredResult, lengths: Mapping[str, int]
) -> Conclusion:
    """Return what a finished run concludes.

    A procedure whose own code fails here has measured all the same: the run gets a line as if it declared none, and a
    warning.

    `lengths`: rows of tables, images of maps and filled arrays, see `mho.runs.RunWriter.lengths`.
    """
    try:
        declared = procedure.conclude(plan, result)
        if declared is None or isinstance(declared, Conclusion):
            return declared or undeclared(stored, lengths)
        trouble = f"it returned {type(declared).__name__}, not a Conclusion"
    except Exception as error:
        trouble = results.failure_reason(error)
    warning = f"{type(procedure).__name__}.conclude could not be used: {trouble}"
    made = undeclared(stored, lengths)
    return Conclusion(made.line, (warning,), made.measured)


def undeclared(stored: results.StoredResult, lengths: Mapping[str, int]) -> Conclusion:
    """Return the conclusion of a run whose procedure declares none: the first of its result, else what was recorded."""
    quantities = [
        f"{name} {_in_words(value)} {stored.units.get(name, '')}".rstrip()
        for name, value in stored.values.items()
        if _is_informative(value)
    ]
    recorded = {name: length for name, length in lengths.items() if length}
    if quantities:
        return Conclusion(", ".join(quantities[:MOST_QUANTITIES]))
    if recorded:
        return Conclusion(", ".join(_extent(*one) for one in list(recorded.items())[:MOST_QUANTITIES]))
    return Conclusion(measured=any(isinstance(one, list | dict) and one for one in stored.values.values()))


def _is_informative(value: object) -> bool:
    """Return whether a value of a result says something: a finite number, a word, yes or no."""
    if isinstance(value, int | float):
        return math.isfinite(value)
    return isinstance(value, str) and bool(value.strip())


def _in_words(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.4g}"
        case str() if len(value) > LONGEST_WORD:
            return f"{value[: LONGEST_WORD - 1]}…"
    return str(value)


def _extent(name: str, length: int) -> str:
    kind, _, own = name.rpartition("/")
    if kind == "arrays":
        return f"array {own}"
    what = "image" if kind == "maps" else "row"
    return f"{length} {what}{'s' * (length != 1)} of {own}"


def carry_out(
    procedure: Procedure[Result],
    opener: Opener,
    *,
    seed: int | None = None,
    output: str | Path | None = None,
    observers: Sequence[Observer] = (),
    control: Control | None = None,
    provenance: Mapping[str, str] | None = None,
    cut: Cut | None = None,
    kept: bool = True,
) -> Result:
    """Run a procedure on the bench that `opener` opens, and return its result, `path` filled in.

    A run that is repeated up to a `cut` raises `CutShort` there. One that is not `kept` writes no file; all else is the
    same. The other parameters, and the errors, are those of `mho.run`.
    """
    started = time.monotonic()
    seed_number(seed)  # refuses what no generator takes, and no file keeps
    seed = secrets.randbits(32) if seed is None else seed
    control = control or Control()
    given = procedure.check()
    came_from = _origin(procedure)
    AGREED.add(came_from["procedure"])
    if kept:
        from mho.runs import new_run_path

        new_run_path(type(procedure).__name__.lower(), output)  # refuses what cannot be
    check = partial(_check_needs, procedure)
    with _stopping_on_signals(control), opener(Opening(seed, observers, control, check)) as opened:
        bench = opened.bench
        procedure, given = _fitted(procedure, given, bench)
        plan = procedure.prepare(given, bench, np.random.default_rng([seed, 1]))
        control.check_stop()
        if not opened.goes_on:
            bench.damage.begin()
        notes = {**came_from, **opened.notes, **(provenance or {})}
        with _written(procedure, plan, bench, seed, notes, output, kept=kept) as writer:
            path = writer.path
            stream = Stream(writer, observers, control, opened.earlier, opened.chip_kept)
            if cut is not None:
                cut.watch(stream)
            stream.announce(Started(procedure.run_title(), path))
            outcome = _Outcome(control)
            conclusion = Conclusion()
            try:
                with outcome:
                    if bench.simulated is not None and bench.simulated.chip.preset.warning:
                        stream.say(bench.simulated.chip.preset.warning, "WARNING")
                    _say_composed(procedure, bench, stream)
                    with (
                        warnings_recorded(stream),
                        _making_safe(bench, writer, stream, outcome),
                        control.governing(bench, stream),
                        _reporting_losses(bench, stream),
                        readings_taken(bench, stream) if bench.file.instruments.beside else nullcontext(),
                    ):
                        result = procedure.execute(plan, bench, stream)
                    took = {"wall_seconds": time.monotonic() - started}
                    took |= ({"run_file": str(path)} if kept else {}) | results.losses(bench.damage)
                    stored = results.stored_result(result)
                    stream.set_result(stored.values | took, stored.units | {"wall_seconds": "s"})
                    lengths = writer.lengths()
                    if bench.file.instruments.beside:
                        lengths = own_lengths(lengths, bench)
                    conclusion = conclusion_of(procedure, plan, result, stored, lengths)
            finally:
                _end(path, writer, stream, bench, outcome, conclusion)
    filled: Result = _filled_in(result, path if kept else None, took)
    return filled


def _check_needs(procedure: Procedure[Any], source: BenchSource) -> None:
    """Refuse a bench that cannot carry out a run, with the defaults that its chip has."""
    check_needs(on_chip(procedure, source.chip_text, f"chip map {source.bench.chip}"), source.bench)


def _fitted(procedure: Procedure[Result], given: Any, bench: Bench) -> tuple[Procedure[Result], Any]:
    """Return a procedure with the defaults that an open bench has on its chip, and its input; refuse what it lacks."""
    fitted = on_chip(procedure, bench.chip_text, f"chip map {bench.file.chip}")
    if not bench.file.surely_offers((*procedure.needs, *procedure.may_need)):
        check_needs(fitted, bench.file)
    return fitted, given if fitted is procedure else fitted.check()


def _say_composed(procedure: Procedure[Any], bench: Bench, stream: Stream) -> None:
    """Say, in the run's log, which operations of the run the bench puts together from others, as its file allows."""
    composed = bench.file.instruments.composed()
    needed = procedure.needed() if composed else ()
    for operation, how in composed.items():
        if operation in needed:
            stream.say(f"`{operation}` is put together on this bench: {how}")


class _Unkept:
    """In the place of a run's file where none is kept: holds the warnings, counts the rest, and writes nothing."""

    path = Path()

    def __init__(self) -> None:
        self._warnings: list[str] = []
        self._lengths: Counter[str] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *values, **named: None

    def emit(self, table: str, /, **values: Any) -> None:
        self._lengths[table] += 1

    def emit_block(self, table: str, columns: Mapping[str, Any]) -> None:
        self._lengths[table] += len(next(iter(columns.values()), ()))

    def snapshot(self, name: str, *values: Any, **named: Any) -> None:
        self._lengths[f"maps/{name}"] += 1

    def set_array(self, name: str, value: Any) -> None:
        self._lengths[f"arrays/{name}"] = 1

    def log(self, level: str, message: str) -> None:
        if level == "WARNING":
            self._warnings.append(" ".join(message.split()))

    def lengths(self) -> dict[str, int]:
        return dict(self._lengths)

    def conclude(self, conclusion: Conclusion) -> Conclusion:
        return replace(conclusion, warnings=tuple(dict.fromkeys([*self._warnings, *conclusion.warnings])))


def _written(
    procedure: Procedure, plan: Any, bench: Bench, seed: int, notes: Mapping[str, str],
    output: str | Path | None, *, kept: bool,
) -> RunWriter:  # fmt: skip
    """Return what writes the run into a new file; nothing where none is to be kept."""
    if not kept:
        return cast("RunWriter", _Unkept())
    from mho.runs import RunWriter

    header, layout = (
        _header(procedure, plan, bench, seed, notes),
        procedure.layout(plan),
    )
    if bench.file.instruments.beside:
        layout = with_readings(layout, bench)
    return RunWriter.create_new(type(procedure).__name__.lower(), output, header, layout)


def _end(
    path: Path, writer: RunWriter, stream: Stream, bench: Bench, outcome: _Outcome, conclusion: Conclusion
) -> None:
    """Write how the run ended into its file, and announce it; what cannot be written must not cover up the error."""
    if outcome.trace:
        with suppress(MhoError):
            writer.log("ERROR", outcome.trace)
    with suppress(MhoError):
        conclusion = writer.conclude(replace(conclusion, unsafe=outcome.unsafe_reason))
    unkept = isinstance(writer, _Unkept)
    if not unkept:
        with suppress(MhoError):
            writer.set_formed(bench.forming.text())
    writer.finish(outcome.status, outcome.reason)
    stream.announce(
        Ended(
            outcome.status, outcome.reason, path, outcome.safe, outcome.error, outcome.confirmed,
            outcome.unsafe_reason, outcome.live, conclusion,
        )
    )  # fmt: skip
    if unkept:
        note_used(bench)
    else:
        note_left(bench, path)


def _filled_in(result: Any, path: Path | None, took: Mapping[str, Any]) -> Any:
    """Return a result with its run file, and in its `summary` how long the run took."""
    own = getattr(result, "summary", None)
    if dataclasses.is_dataclass(result) and not isinstance(result, type) and isinstance(own, dict):
        result = dataclasses.replace(result, summary={**own, **took})
    return returned(result, path)


def _header(procedure: Procedure, plan: Any, bench: Bench, seed: int, notes: Mapping[str, str]) -> RunHeader:
    from mho.runs import collect
    from mho.runs.provenance import input_files

    parameters = procedure.recorded_parameters(plan)
    return RunHeader(
        title=procedure.run_title(), procedure=type(procedure).__name__, version=procedure.version,
        parameters=parameters, source=source_of(type(procedure)), bench=bench.text, chip=bench.chip_text,
        defects=bench.defects_text, formed=bench.forming.text(), formed_bytes=bench.forming.most_bytes,
        cells=procedure.describe_cells(plan), instruments=bench.identities(),
        provenance=collect(seed, sys.argv) | input_files(parameters) | _simulated(bench) | dict(notes),
    )  # fmt: skip


def _simulated(bench: Bench) -> dict[str, str]:
    """Return the properties of a simulated bench that are not in its file: cells, circuits of a user's own, and seed."""
    if bench.simulated is None:
        return {}
    preset = bench.simulated.chip.preset
    own = {} if preset.name in CELL_PRESETS else {"preset_file": preset_text(preset)}
    for aspect, law in preset.own.by_aspect().items() if preset.own is not None else ():
        own |= source_record(f"cells_{aspect}", type(law))
    if (elements := bench.simulated.elements) is not None:
        from mho.instruments.simulated import circuit_text

        own |= {"circuit": elements.name, "circuit_file": circuit_text(elements)}
        for kind, element in elements.by_kind().items():
            own |= source_record(f"circuit_{kind}", type(element))
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
            self.error, self.trace = recorded_name(error), results.failure_trace(error)
            self.status, self.reason = Status.FAILED, results.failure_reason(error)


@contextmanager
def _making_safe(bench: Bench, writer: RunWriter, stream: Stream, outcome: _Outcome) -> Iterator[None]:
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

    `UnsafeError` naming the roles that are still on.
    """
    live = () if bench.simulated is None else bench.simulated.live()
    if live:
        titles = " and ".join(map(bench.file.instruments.title, live))
        raise UnsafeError(
            f"NOT SAFE: the simulated {titles} is still on, though the bench says that it is safe; see to "
            "the procedure's or the driver's own `safe`",
            live=live,
        )


@contextmanager
def _reporting_losses(bench: Bench, stream: Stream) -> Iterator[None]:
    """Say, however a run ends, which cells its own pulses have destroyed: they are no defects of the chip's own."""
    try:
        yield
    finally:
        if words := results.losses_in_words(bench.damage):
            with suppress(MhoError):  # a file that cannot be written must not cover up the error
                stream.say(words, "WARNING")


@contextmanager
def _stopping_on_signals(control: Control) -> Iterator[None]:
    """SIGTERM, SIGHUP and Ctrl-C ask for a stop at the next safe point; Ctrl-C after that does not wait for it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def request(number: int, frame: FrameType | None) -> None:
        if number in platforms.here.keys and control.reason:
            raise KeyboardInterrupt(control.reason)
        control.abort(f"{platforms.here.signal_name(number)} received")

    signals = [
        number
        for number in STOPPING
        # `nohup` says that the run is to outlive its terminal
        if number.name != "SIGHUP" or signal.getsignal(number) is not signal.SIG_IGN
    ]
    with HandledSignals(dict.fromkeys(signals, request)):
        yield


def _origin(procedure: Procedure) -> dict[str, str]:
    """Return the origin of a run, by which its file lets it be repeated.

    Returns ``procedure`` (``module:Class``, or ``path/file.py:Class``), ``folder`` (from which relative paths among
    the parameters start), and of each of its `own_classes` the name, the source and its hash.
    """
    record = {"procedure": name_of(type(procedure))}
    for what, kind in procedure.own_classes().items():
        record |= source_record(what, kind)
    with suppress(OSError):  # the current folder was removed
        record["folder"] = os.getcwd()
    return record
