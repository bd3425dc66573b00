"""Entering and leaving a bench: on leaving, every output is taken to 0 V and off, whatever happened before."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager
from types import TracebackType
from typing import NoReturn, Self

from mho.errors import BenchError, BenchInUseError, MhoError, UnsafeError
from mho.instruments.bench.instruments import NO_OUTPUTS, BenchInstruments, make_safe, not_confirmed
from mho.instruments.bench.output_states import OutputState, OutputStates
from mho.instruments.bench.protection import Watchdog
from mho.instruments.bench.stop_requests import EndingSignals, signals_held
from mho.instruments.roles import Instrument

log = logging.getLogger(__name__)

OUTPUTS = (
    "smu",
    "sink",
    "gate",
    "pulser",
    "daq",
    "board",
    "tester",
    "chuck",
)  # roles whose outputs have a state


class GuardedBench:
    """A context manager that makes its instruments safe on every exit; `Bench` adds the operations.

    `watchdog`: the board's; stopped when the bench is safe or closed.
    `release`: releases the lock, after the connections are closed.
    `now`: seconds on the bench's clock.
    `title`: returns a role in the words that a reader knows it by.
    """

    def __init__(
        self, instruments: BenchInstruments, watchdog: Watchdog, release: Callable[[], None],
        now: Callable[[], float] = time.monotonic, title: Callable[[str], str] = str,
    ) -> None:  # fmt: skip
        self.instruments, self.now, self._title = instruments, now, title
        # Whether the connections were released; what holds on to a bench after that must not use it
        self.closed = False
        self._states = OutputStates(now)
        self._watchdog, self._release = watchdog, release
        self._signals = EndingSignals()
        self._turn = threading.RLock()  # of the thread whose run it is; a run within a run is of the same

    def __enter__(self) -> Self:
        if self.closed:
            raise BenchError("the bench is closed, and does nothing any more; open it again")
        try:
            self._signals.__enter__()
            return self
        except BaseException:  # a signal that arrived in time to be reported last
            self._signals.end()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        left = False
        try:
            with signals_held():
                left = True
                self._leave(error)
        finally:
            if not left:  # a signal arrived before it could be held back
                with signals_held():
                    self._leave(error)

    def _leave(self, error: BaseException | None) -> None:
        try:
            self.safe()
        except MhoError:
            if error is None:  # else it is the reason for leaving, and `safe` has logged the rest
                raise
        finally:
            try:
                self.close()
            finally:
                self._signals.end()

    def safe(self) -> None:
        """Take every output to 0 V and off, each instrument independently, and confirm it by read-back.

        A failed step is tried once more after the others: a lost message must not leave an output on.
        Signals are held back until this has ended.

        `UnsafeError` after all steps were tried, naming what could not be confirmed; of a bench that was closed before it
        was safe, at once.
        """
        if self.closed:
            if live := self.live():
                titles = ", ".join(map(self._title, live))
                raise UnsafeError(
                    f"NOT CONFIRMED SAFE: the bench was closed before {titles} had been confirmed off, and "
                    "nothing can be read back any more; open it again",
                    live=live,
                )
            return
        self.forget()
        self._make_safe(self.instruments.by_name())

    def _make_lines_safe(self) -> None:
        """Make safe what is wired to the chip's lines; a chuck goes on heating, and what is beside the bench as it is."""
        apart = {"chuck", *NO_OUTPUTS, *self.instruments.beside}
        self._make_safe({role: one for role, one in self.instruments.by_name().items() if role not in apart})

    def _make_safe(self, instruments: Mapping[str, Instrument]) -> None:
        with signals_held():
            failed = make_safe(instruments)
            self._note_safe({role for role in instruments if role not in failed})
            if "board" in failed:
                self._watchdog.abandon()
            else:
                self._watchdog.disarm()
        if failed:
            raise not_confirmed(failed, title=self._title)

    def _note_safe(self, roles: Set[str]) -> None:
        """Record the roles that have just been confirmed safe."""
        for role in roles:
            self._states.note(role, "SAFE" if role == "board" else "off", "read")

    def note_state(self, role: str, value: str | None) -> None:
        """Record what has just been read of a role's output, as `states` returns it; None makes it unknown."""
        if value is None:
            self._states.forget(role)
        else:
            self._states.note(role, value, "read")

    def states(self) -> dict[str, OutputState]:
        """Return what is known of each role's output, from which source and since when; sends nothing.

        Nothing is known before the bench was prepared or made safe, nor after a connection was lost.
        """
        roles = [role for role in OUTPUTS if getattr(self.instruments, role) is not None]
        return {role: self._states.of(role) for role in (*roles, *self.instruments.contacts)}

    def live(self) -> tuple[str, ...]:
        """Return the roles whose outputs may be on, that is, are not known to be off."""
        return tuple(role for role, state in self.states().items() if state.live)

    @contextmanager
    def taken_by_thread(self) -> Iterator[None]:
        """Within the block no run of another thread takes the bench; `BenchInUseError` where one has it."""
        if not self._turn.acquire(blocking=False):
            raise BenchInUseError("the bench is in use by a run in another thread; open one for each thread")
        try:
            yield
        finally:
            self._turn.release()

    def __reduce__(self) -> NoReturn:
        raise BenchError(
            "a bench cannot be pickled or copied: it holds instruments; open it by name in the worker"
        )

    def forget(self) -> None:
        """Discard what is known of the setup."""

    def close(self) -> None:
        """Release the connections and the lock; changes no output, but an armed watchdog is no longer fed."""
        self.closed = True
        self._watchdog.abandon()
        for name, instrument in self.instruments.by_name().items():
            try:
                instrument.close()
            except Exception:
                log.exception("%s did not close", self._title(name))
        self._release()

    def identities(self) -> dict[str, dict[str, str]]:
        """Return identification and settings of every instrument, for the run file.

        An instrument beside the bench that does not answer ends nothing: that stands in its place. `InstrumentError` for
        what any other one raises of its own, or answers that is no text and no mapping.
        """
        found = {}
        for name, instrument in self.instruments.by_name().items():
            try:
                called = {} if (title := self._title(name)) == name else {"name": title}
                beside = name in self.instruments.beside
                asked = (
                    (instrument.identify(), instrument.settings()) if beside else _said_of_itself(instrument)
                )
                identity, settings = asked
                found[name] = {"identity": identity, **called, **settings}
            except Exception as error:  # a driver of the user's own may raise anything
                if name not in self.instruments.beside:
                    raise
                log.warning("%s does not say who it is: %s", name, error)
                found[name] = {"identity": f"no answer: {error}"}
        return found


def _said_of_itself(instrument: Instrument) -> tuple[str, Mapping[str, str]]:
    """Return identification and settings of an instrument; `InstrumentError` for those that cannot be."""
    from mho.instruments.bench.testers import ask, nonsense

    identity, settings = ask(instrument, "identify"), ask(instrument, "settings")
    if not isinstance(identity, str):
        raise nonsense(instrument, "identify", identity, "a text")
    if not isinstance(settings, Mapping):
        raise nonsense(instrument, "settings", settings, "a mapping of names to texts")
    return identity, settings
