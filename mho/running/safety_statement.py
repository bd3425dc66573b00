"""Whether a run left its bench safe, from its announcements and its end."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from types import MappingProxyType

from mho.errors import Aborted, BenchError, InstrumentError, MhoError, UnsafeError
from mho.input_files import bench_key
from mho.instruments import Bench
from mho.instruments.bench_file import is_real
from mho.own_code import name_of
from mho.procedures import stream
from mho.procedures.base import Procedure
from mho.processes import SafetyResult, end_children, left_threads, make_safe_apart
from mho.running.supervisor import Report
from mho.runs import Conclusion

SUPERVISOR_GONE = "the process that looked after the run is gone"


class SafetyObserver:
    """An observer of one run."""

    def __init__(self, report: Report | None = None, bench: str = "") -> None:
        self._report = report or Report()
        self._bench = bench
        # taken: whether the run had locked a bench of real instruments, and was not refused before
        self.taken, self._begun = False, False
        self.control = stream.Control()  # for the run: it is interrupted when its supervisor is gone
        self._report.when_lost = self._interrupt
        if self._report.lost:
            self._interrupt()
        self.ended: stream.Ended | None = None  # the run's last announcement

    def __call__(self, event: stream.Event) -> None:
        """Process one event of the run."""
        if isinstance(event, stream.BenchTaken):
            self.taken = True
            self._report.using(self._bench)
        elif isinstance(event, stream.Started):
            self._begun = True
            self._report.writing(str(event.path))
        elif isinstance(event, stream.MakingSafe):
            self._report.note("making_safe")
        elif self._begun and isinstance(event, stream.Ended):
            self.ended = event

    def _interrupt(self) -> None:
        self.control.abort(SUPERVISOR_GONE, lost=True)

    @property
    def conclusion(self) -> Conclusion | None:
        """What the run concludes; None of one that was not begun, or has not ended."""
        return None if self.ended is None else self.ended.conclusion

    def left_safe(self, error: BaseException | None) -> bool:
        """Return whether the bench is known to be safe: it was confirmed, or nothing was ever sent to it."""
        if isinstance(error, UnsafeError):
            return False
        if self.ended is not None:
            return self.ended.safe
        if not self.taken and not self._begun:  # it may be another process's
            return True
        # Before the run file is there nothing acts; but an instrument may have been found in disorder.
        in_order = isinstance(error, MhoError) and not isinstance(error, BenchError | InstrumentError)
        return in_order and not self._begun

    def bench_state(self, error: BaseException | None) -> SafetyResult:
        """Return the known state of the bench after the run, with `error` if it failed."""
        ended = self.ended
        if self.left_safe(error):
            return SafetyResult(True, confirmed=self.confirmed(error))
        if isinstance(error, UnsafeError):
            return SafetyResult(False, str(error), error.live)
        if ended is not None and ended.unsafe_reason:
            return SafetyResult(False, ended.unsafe_reason, ended.live)
        return SafetyResult(False, str(error or ""))

    def confirmed(self, error: BaseException | None) -> float | None:
        """Return when every output of the bench was confirmed off, Unix time, s; None where this was not read back."""
        return self.ended.confirmed if self.ended is not None and self.left_safe(error) else None


@contextmanager
def observed_safety(
    bench: str,
    report: Report,
    display: stream.Observer,
    procedure: str = "",
    values: Mapping[str, object] = MappingProxyType({}),
) -> Iterator[SafetyObserver]:
    """Report to the supervisor how the run in this block left its bench; yield the observer for it.

    A bench that its queue warns of is made safe first, which is reported to `display`. Without a supervisor, this informs
    the queue of a bench that was not left safe. Where the procedure, what its `values` name or a driver is none of mho's
    own, a fresh process reads the outputs back afterwards: the supervisor's, or without one this one's.

    `Aborted` instead of a `KeyboardInterrupt`, with the reason; `UnsafeError`: at the beginning, when the
    queue warns of the bench and it could not be made safe. At the end, without a supervisor, when code of the
    user's own has left it live.
    """
    # Not loaded with this module: the queue's worker, which every job starts anew, needs none of it.
    from mho.running.queue.bench_notices import ensure_safe, tell_queue
    from mho.running.trust import runs_foreign_code

    safety = SafetyObserver(report, bench)
    ended: BaseException | None = None
    real, threads, folder, key = is_real(bench), threading.enumerate(), os.getcwd(), bench_key(bench)
    own_code = real and bool(procedure) and runs_foreign_code(procedure, values, bench)
    if own_code:
        report.note("own_code")
    if real and (said := ensure_safe(bench)):
        display(stream.Message("WARNING", said))
    try:
        yield safety
    except KeyboardInterrupt as error:
        ended = error
        raise Aborted(str(error) or "interrupted from the keyboard") from error
    except BaseException as error:
        ended = error
        raise
    finally:
        safe = safety.left_safe(ended)
        if left := left_threads(threads):
            said = f"{' and '.join(left)}, a thread of the procedure, still runs: it ends with this process"
            display(stream.Message("WARNING", said))
            if safety.taken and report.supervised:  # it has the bench's connections
                report.note("thread")
                safe = False
        # Remaining children of the procedure have the bench's connections, and may have used it since.
        if safety.taken and report.supervised and end_children():
            report.note("heirs")
            safe = False
        if safety.taken and safe:
            report.left(bench)
        elif safety.taken and not report.supervised:
            tell_queue(bench, safety.bench_state(ended))
        if safe and safety.taken and own_code and not report.supervised:
            _read_back(key, folder, ended, display)


@contextmanager
def own_code_read_back(
    procedure: Procedure, bench: str | Bench, observers: Sequence[stream.Observer]
) -> Iterator[tuple[stream.Observer, ...]]:
    """Have a fresh process read the outputs back after the run in this block, if code of the user's own had the bench.

    Yields the observers for it: none where there is nothing to do, as on a bench that was open before and stays so. Where a
    `SafetyObserver` is among `observers`, whoever made it does the same.

    `UnsafeError` at the end, when code of the user's own has left the bench live.
    """
    looked_after = any(isinstance(one, SafetyObserver) for one in observers)
    if looked_after or not isinstance(bench, str) or not is_real(bench):
        yield ()
        return
    from mho.running.trust import runs_foreign_code  # most runs need none of it

    if not runs_foreign_code(name_of(type(procedure)), procedure.parameter_values(), bench):
        yield ()
        return
    folder, bench = os.getcwd(), bench_key(bench)
    safety, ended = SafetyObserver(), None  # type: SafetyObserver, BaseException | None
    try:
        yield (safety,)
    except BaseException as error:
        ended = error
        raise
    finally:
        if safety.taken and safety.left_safe(ended):
            _read_back(bench, folder, ended, partial(stream.announced, observers))


@contextmanager
def _within(folder: str) -> Iterator[None]:
    """Be in a folder where that is possible: it may be gone, or the one that the run's code has left the process in."""
    before = ""
    with suppress(OSError):
        before = os.getcwd()
    with suppress(OSError):
        os.chdir(folder)
    try:
        yield
    finally:
        with suppress(OSError):
            os.chdir(before or folder)


def _read_back(
    bench: str, folder: str, ended: BaseException | None, display: Callable[[stream.Event], object]
) -> None:
    """Have a fresh process make a bench safe that code of the user's own took for safe, and say if it was not.

    A run that has `ended` in an error keeps it where the bench is safe now: what was on is displayed, and noted on the
    error. `folder` is where the run began, which its code may have left; bench file and drivers are found from there.
    """
    from mho.running.queue.bench_notices import tell_queue

    with _within(folder):
        state = make_safe_apart(bench, folder if os.path.isdir(folder) else os.sep)
        tell_queue(bench, state)
    if not (trouble := left_live(bench, state)):
        return
    if ended is None or not state.safe:
        raise UnsafeError(trouble, live=state.live, left_on=state.left_on)
    ended.add_note(trouble)
    display(stream.Message("WARNING", trouble))


def left_live(bench: str, safety: SafetyResult) -> str:
    """Return what a fresh process found wrong with a bench that code of the user's own took for safe; "" for nothing."""
    if not safety.safe:
        return f"bench {bench} was taken for safe by code of one's own, and is NOT confirmed safe: {safety.reason}"
    if safety.left_on:
        return (
            f"{' and '.join(safety.left_on)} of bench {bench} was left on by code of one's own, which took it for safe; a "
            "fresh process has switched it off"
        )
    return ""
