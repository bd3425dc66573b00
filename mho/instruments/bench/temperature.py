"""The chip's temperature: heat the chuck, wait until it has settled, watch it meanwhile, and switch the heater off.

On a bench with a temperature controller, `[instruments.chuck]`, the chip is as warm as the chuck. A simulated chip without
one is at any temperature at once. On real instruments without one the chuck is set by hand, and a run that asks for a
temperature is refused before anything is sent.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mho.errors import BenchError, ConnectionRestored, InputError, MhoError
from mho.instruments.bench import arguments as given
from mho.instruments.bench.bench import Bench
from mho.instruments.bench.protection import protect_chuck
from mho.instruments.bench.stop_requests import signals_held
from mho.instruments.bench_file.entries import ChuckEntry
from mho.instruments.roles import TemperatureController

log = logging.getLogger(__name__)

POLL = 1.0  # s between readings while it heats
WATCH = 10.0  # s at least between readings while it is held

# Takes a stage, and how much of how much of it is done
Announce = Callable[[str, int, int], object]


def check_temperature(bench: Bench, kelvin: float) -> float:
    """Return a temperature (K) to which `bench` can take its chip; nothing is sent.

    `InputError` when it is no positive number.
    `LimitError` when it is beyond the limits of the bench's chuck.
    `BenchError` when the bench has real instruments, and no temperature controller among them.
    """
    kelvin = given.finite(kelvin, "temperature", "K")
    if kelvin <= 0.0:
        raise InputError(f"temperature is {kelvin:g} K; give one above 0 K")
    chuck = bench.file.instruments.chuck
    if chuck is not None:
        chuck.check(kelvin)
    elif bench.simulated is None:
        raise BenchError(
            f"bench {bench.file.name!r} has no temperature controller, so that nothing can take the chip to {kelvin:g} K: "
            "name one in [instruments.chuck], or set the chuck by hand, wait until it has settled, and leave `temperature` "
            "out"
        )
    return kelvin


class TemperatureSettling:
    """When a temperature has settled: it has stayed within `tolerance` (K) of `target` (K) for `dwell` (s)."""

    def __init__(self, target: float, tolerance: float, dwell: float) -> None:
        self._target, self._tolerance, self._dwell = target, tolerance, dwell
        self._since: float | None = None

    @property
    def within(self) -> bool:
        """Whether the last reading was within the tolerance."""
        return self._since is not None

    def settled(self, moment: float, kelvin: float) -> bool:
        """Take a reading (K) at a moment (s), and return whether the temperature has settled."""
        if not abs(kelvin - self._target) <= self._tolerance:
            self._since = None
            return False
        if self._since is None:
            self._since = moment
        return moment - self._since >= self._dwell


class HeldTemperature:
    """What was read of a temperature (K) that is held.

    `target`, `last`: as asked for, and the last reading.
    `deviation`: largest distance of a reading from the target.
    """

    def __init__(self, target: float) -> None:
        self.target = self.last = target
        self.readings, self.deviation = 0, 0.0
        self._sum = 0.0

    def take(self, kelvin: float) -> None:
        """Count a reading."""
        self.last = kelvin
        self.readings += 1
        self._sum += kelvin - self.target
        self.deviation = max(self.deviation, abs(kelvin - self.target))

    @property
    def mean(self) -> float:
        """Mean of the readings."""
        return self.target + self._sum / max(self.readings, 1)


@contextmanager
def at_temperature(
    bench: Bench, kelvin: float | None, announce: Announce = lambda stage, done, total: None
) -> Iterator[HeldTemperature | None]:
    """Within the block the chip is at `kelvin`, or as it is for None.

    With a chuck it is there when the temperature has settled, and is read every 10 s from then on; at the end, however it
    comes, the heater is off, and the chip cools by itself. A simulated chip without one is there at once, and as it was
    before at the end. Stops and pauses hold as for `Bench.wait_until`; while a run pauses the chuck stays as it is.

    Parameters
    ----------
    bench : Bench
    kelvin : float or None
        Temperature of the chip, K.
    announce : callable
        Told how far the heating is.

    Yields
    ------
    HeldTemperature or None
        What is read of it meanwhile; None where nothing reads it.

    Raises
    ------
    InputError, LimitError, BenchError
        As `check_temperature`; nothing is sent.
    BenchError
        When the temperature has not settled in time, or the heater has gone off by hand or by itself.
    InstrumentError
        For a sensor or a heater with a fault, and when the heater is not confirmed off at the end.
    """
    if kelvin is None:
        yield None
        return
    kelvin = check_temperature(bench, kelvin)
    chuck, entry = bench.instruments.chuck, bench.file.instruments.chuck
    if chuck is None or entry is None:
        assert bench.simulated is not None
        chip = bench.simulated.chip
        before, chip.temperature = chip.temperature, kelvin
        try:
            yield None
        finally:
            chip.temperature = before
        return
    heating = _Heating(bench, chuck, entry, kelvin, announce)
    try:
        heating.settle()
        with heating.watched():
            yield heating.held
            heating.look()
    except (
        BaseException
    ):  # which is the reason; making the bench safe tries again, and says what is not confirmed
        try:
            heating.end()
        except MhoError as error:
            log.error("the heater of the chuck is not confirmed off yet: %s", error)
        raise
    heating.end()


class _Heating:
    """Takes a chuck to a temperature and keeps an eye on it."""

    def __init__(
        self, bench: Bench, chuck: TemperatureController, entry: ChuckEntry, target: float, announce: Announce
    ) -> None:
        self.held = HeldTemperature(target)
        self._bench, self._chuck, self._entry, self._announce = bench, chuck, entry, announce
        self._next = 0.0  # when it is looked at again, s
        self._outside = False

    def settle(self) -> None:
        """Heat, and wait until the temperature has settled; once more from the start after a lost connection."""
        try:
            self._settle()
        except ConnectionRestored:
            log.warning("the heater of the chuck was off meanwhile; it is heated anew")
            self._settle()

    def _settle(self) -> None:
        bench, chuck, entry, target = self._bench, self._chuck, self._entry, self.held.target
        protect_chuck(chuck, entry)
        first, begun = chuck.temperature(), bench.now()
        bench.note_state("chuck", None)
        chuck.ramp_to(target, entry.ramp)
        settling = TemperatureSettling(target, entry.tolerance, entry.dwell)
        last = -1
        while not settling.settled(bench.now(), kelvin := self._read()):
            waited = bench.now() - begun
            if waited > entry.longest and not settling.within:
                raise BenchError(
                    f"the chip has not settled at {target:g} K in {waited:.0f} s: it is at {kelvin:.2f} K, "
                    f"{abs(kelvin - target):.2f} K off; look at heater and sensor, or raise `longest` of "
                    "[instruments.chuck]"
                )
            done = _percent(first, kelvin, target)
            if done != last:
                self._announce("heating", done, 100)
                last = done
            bench.wait_until(bench.now() + POLL)
        self._announce("heating", 100, 100)

    def _read(self) -> float:
        kelvin = self._chuck.temperature()
        if not getattr(self._chuck, "output_enabled", True):
            raise BenchError(
                f"the heater of the chuck has gone off at {kelvin:.2f} K, by hand or by the controller's own temperature "
                "limit: look at its front panel"
            )
        self._bench.note_state("chuck", f"ON, {kelvin:.2f} K")
        return kelvin

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Within the block the temperature is read at safe points, `WATCH` apart."""
        self.look()
        before = self._bench.checkpoint

        def checkpoint() -> None:
            before()
            if self._bench.now() >= self._next:
                self.look()

        self._bench.checkpoint = checkpoint
        try:
            yield
        finally:
            self._bench.checkpoint = before

    def look(self) -> None:
        """Read the temperature, and say when it has left its tolerance; after a lost connection it settles again first."""
        self._next = float("inf")  # waiting for it to settle comes by safe points, too
        try:
            kelvin = self._read()
        except ConnectionRestored:
            self.settle()
            kelvin = self._read()
        self.held.take(kelvin)
        outside = not abs(kelvin - self.held.target) <= self._entry.tolerance
        if outside and not self._outside:
            log.warning(
                "the chip is at %.2f K, out of the tolerance of %g K around %g K", kelvin,
                self._entry.tolerance, self.held.target,
            )  # fmt: skip
        self._outside = outside
        self._next = self._bench.now() + WATCH

    def end(self) -> None:
        """Switch the heater off, confirmed."""
        with signals_held():
            self._bench.note_state("chuck", None)
            self._chuck.make_safe()
            self._bench.note_state("chuck", "off")


def _percent(first: float, kelvin: float, target: float) -> int:
    """Return how much of the way from `first` to `target` is done, %; what is there already has it all behind it."""
    if first == target:
        return 100
    return int(100.0 * min(max((kelvin - first) / (target - first), 0.0), 1.0))
