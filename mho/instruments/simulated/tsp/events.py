"""Events of a TSP instrument on the virtual clock, and the work that waits for them.

Overlapped work (a sweep) is a generator that yields the seconds that pass, or the `Detector` that it waits for. Nothing
runs by itself: `Events.settle` carries out the work and advances the clock.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from heapq import heappop, heappush
from itertools import count

from mho.instruments.simulated.clock import VirtualClock

NO_EVENT = 0
Work = Generator["float | Detector", None, None]


class Detector:
    """Latches one event of the number `stimulus`, for a piece of work or for ``wait()``."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._stimulus = NO_EVENT
        self.latched = self.overrun = False
        self.waiting: Work | None = None
        self.notify: Callable[[], None] | None = None

    @property
    def stimulus(self) -> int:
        """Number of the event it listens to; 0 for none."""
        return self._stimulus

    @stimulus.setter
    def stimulus(self, event: int) -> None:
        listeners = self._events.listeners
        if self._stimulus:
            listeners[self._stimulus].remove(self)
        if event:
            listeners.setdefault(event, []).append(self)
        self._stimulus = event

    def clear(self) -> None:
        """Clear the latched event."""
        self.latched = self.overrun = False

    def fire(self) -> None:
        """Receive an event: resume the waiting work, or latch the event."""
        if self.notify is not None:
            self.notify()
        elif self.waiting is not None:
            work, self.waiting = self.waiting, None
            self._events.start(work)
        else:
            self.overrun = self.overrun or self.latched
            self.latched = True


class Events:
    """The order of things to come.

    Work that may be endless has to charge its steps to the running message (`TspDevice.spend`).
    """

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._queue: list[tuple[float, int, Work]] = []
        self._order = count()
        self._numbers = count(1)
        self.listeners: dict[int, list[Detector]] = {}
        self._busy: list[Work] = []

    def number(self) -> int:
        """Return an unused event number."""
        return next(self._numbers)

    def emit(self, event: int) -> None:
        """Generate an event now."""
        for detector in tuple(self.listeners.get(event, ())):
            detector.fire()

    def start(self, work: Work, *, awaited: bool = False) -> None:
        """Start work now; `settle` waits for work that is `awaited`."""
        if awaited:
            self._busy.append(work)
        self._at(self._clock.now, work)

    def drop(self, work: Work) -> None:
        """Abort work, whatever it waits for."""
        if work in self._busy:
            self._busy.remove(work)
        self._queue = sorted(entry for entry in self._queue if entry[2] is not work)
        for detectors in self.listeners.values():
            for detector in detectors:
                if detector.waiting is work:
                    detector.waiting = None
        work.close()

    def clear(self) -> None:
        """Abort everything."""
        for work in self._busy:
            work.close()
        self._busy.clear()
        self._forget()
        for detectors in self.listeners.values():
            for detector in detectors:
                detector.waiting = None
                detector.clear()

    @property
    def busy(self) -> bool:
        """Whether awaited work is under way."""
        return bool(self._busy)

    def settle(self) -> bool:
        """Advance time until no awaited work is left; returns False when it waits for an event that never occurs."""
        while self._busy and self._queue:
            self._step()
        if self._busy:
            return False
        self._forget()  # timers without listeners
        return True

    def _forget(self) -> None:
        for _, _, work in self._queue:
            work.close()
        self._queue.clear()

    def wait(self, detector: Detector, timeout: float) -> bool:
        """Advance time until `detector` has latched, at most `timeout` seconds; returns whether it has."""
        end = self._clock.now + timeout
        while not detector.latched and self._queue and self._queue[0][0] <= end:
            self._step()
        if detector.latched:
            detector.clear()
            return True
        self.pass_time(end - self._clock.now)
        return False

    def pass_time(self, seconds: float) -> None:
        """Advance time by `seconds`, and process the events within."""
        end = self._clock.now + seconds
        while self._queue and self._queue[0][0] <= end:
            self._step()
        self._clock.advance(max(0.0, end - self._clock.now))

    def _ended(self, work: Work) -> None:
        if work in self._busy:
            self._busy.remove(work)

    def _at(self, when: float, work: Work) -> None:
        heappush(self._queue, (when, next(self._order), work))

    def _step(self) -> None:
        when, _, work = heappop(self._queue)
        if when > self._clock.now:
            self._clock.advance(when - self._clock.now)
        try:
            wanted = next(work)
            while isinstance(wanted, Detector):
                if not wanted.latched:
                    wanted.waiting = work
                    return
                wanted.clear()
                wanted = next(work)
        except StopIteration:
            self._ended(work)
        except BaseException:
            self._ended(work)
            raise
        else:
            self._at(self._clock.now + wanted, work)
