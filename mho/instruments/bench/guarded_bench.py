"""The life of a bench: entered, and left with every output at 0 V and off, whatever happens in between."""

from __future__ import annotations

import logging
from collections.abc import Callable, Set
from types import TracebackType
from typing import Self

from mho.errors import MhoError
from mho.instruments.bench.instruments import BenchInstruments, make_safe, not_confirmed
from mho.instruments.bench.stop_requests import EndingSignals, signals_held
from mho.instruments.bench.watchdog import Watchdog

log = logging.getLogger(__name__)


class GuardedBench:
    """Instruments that are made safe on every way out; `Bench` adds what is done with them.

    Parameters
    ----------
    instruments : BenchInstruments
    watchdog : Watchdog
        The board's; let go when the bench is safe or closed.
    release : callable
        Gives up the lock, once the connections are closed.
    """

    def __init__(
        self, instruments: BenchInstruments, watchdog: Watchdog, release: Callable[[], None]
    ) -> None:
        self.instruments = instruments
        self._watchdog, self._release = watchdog, release
        self._signals = EndingSignals()

    def __enter__(self) -> Self:
        try:
            self._signals.__enter__()
            return self
        except BaseException:  # a signal, in time to be the last thing that is heard of
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
            if not left:  # a signal came before it could be held
                with signals_held():
                    self._leave(error)

    def _leave(self, error: BaseException | None) -> None:
        try:
            self.safe()
        except MhoError:
            if error is None:  # else that error says why we leave, and `safe` has logged the rest
                raise
        finally:
            try:
                self.close()
            finally:
                self._signals.end()

    def safe(self) -> None:
        """Bring everything to 0 V and off, each instrument on its own, and confirm it by read-back.

        What fails is tried once more after the others: a message lost on its way must not leave an output on.
        Signals wait until it is over.

        Raises
        ------
        UnsafeError
            After all steps were tried, naming what could not be confirmed.
        """
        self.forget()
        self._make_safe()

    def _make_safe(self) -> None:
        with signals_held():
            failed = make_safe(self.instruments.by_name())
            self._note_safe({role for role in self.instruments.by_name() if role not in failed})
            if "board" in failed:
                self._watchdog.abandon()
            else:
                self._watchdog.disarm()
        if failed:
            raise not_confirmed(failed)

    def _note_safe(self, roles: Set[str]) -> None:
        """Note which roles were confirmed safe just now."""

    def forget(self) -> None:
        """Take nothing for granted of what was set up."""

    def close(self) -> None:
        """Release the connections and the lock; never changes an output, but an armed watchdog is fed no more."""
        self._watchdog.abandon()
        for name, instrument in self.instruments.by_name().items():
            try:
                instrument.close()
            except Exception:
                log.exception("%s did not close", name)
        self._release()

    def identities(self) -> dict[str, dict[str, str]]:
        """Identification and settings of every instrument, for the run file."""
        return {
            name: {"identity": instrument.identify(), **instrument.settings()}
            for name, instrument in self.instruments.by_name().items()
        }
