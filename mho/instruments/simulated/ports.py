"""The seams of a simulated instrument: its terminals to the wires, and its messages to the transports (PyVISA, sockets).

A simulated instrument has a front panel and ports, but no access to the chip. `mho.instruments.laboratory.laboratory`
wires the ports.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mho.array_types import Floats
from mho.instruments.simulated.clock import VirtualClock


@dataclass(slots=True)
class Traffic:
    """Messages on their way to one instrument, and its replies; for a DAQ: blocks of samples played."""

    messages: int = 0
    bytes_sent: int = 0
    replies: int = 0
    bytes_received: int = 0


class Device(Protocol):
    """An instrument as a transport sees it.

    One that may be long about a message has ``abort()``, which ends that from another thread, and an attribute ``pause``:
    a function that it calls from time to time meanwhile, in which a transport lets others come in.
    """

    stream: bool
    """Whether replies follow each other without message boundaries (serial ports, sockets)."""

    @property
    def service_requests(self) -> int:
        """Number of service requests so far."""

    def write(self, data: bytes, end: bool = True) -> None:
        """Receive a part of a message; `end` is whether END came with its last byte."""

    def read(self) -> bytes:
        """Return what is queued, or nothing."""

    def status_byte(self) -> int:
        """Answer a serial poll."""

    def clear(self) -> None:
        """Device clear."""

    def trigger(self) -> None:
        """React to a bus trigger."""

    def push_error(self, code: int, detail: str = "") -> None:
        """Queue an error (fault injection)."""


class Rack(Protocol):
    """A set of simulated instruments on one clock.

    It may have `faults`, a list of `Fault`, and `traffic`, a dict of `Traffic` by resource name.
    """

    @property
    def devices(self) -> Mapping[str, Device]:
        """Instruments by VISA resource name."""

    @property
    def clock(self) -> VirtualClock:
        """The time they share."""


class SourcePort(Protocol):
    """A terminal that holds a voltage and carries a current (source-measure unit, DC output)."""

    def drive(self, volts: float, *, connected: bool) -> None:
        """Hold `volts` (V); `connected` is false when the output relay is open."""

    def current(self, volts: float, aperture: float) -> float:
        """Current (A) out of the terminal at `volts`, averaged over `aperture` seconds, noise included.

        The caller advances the clock.
        """


class PulsePort(Protocol):
    """A terminal that emits voltage pulses from a base of 0 V.

    A port with ``train(cycle, count)`` receives long bursts of cycles that go up and down whole: `count` times the levels
    (V, s, times) of `cycle`. Another port receives the pulses of each level one after the other.
    """

    def pulse(self, volts: float, width: float, period: float, count: int) -> None:
        """Deliver `count` pulses of `volts` (V) and `width` (s), one every `period` (s): those of a triggered burst.

        The caller advances the clock.
        """


class ConverterPort(Protocol):
    """All analogue outputs and inputs of a data acquisition device, on one sample clock.

    A port with ``hold(volts, period)`` receives constant levels, and samples that are repeated.
    """

    def exchange(self, volts: Floats, period: float) -> Floats:
        """Play `volts` (samples, outputs) at one sample per `period` seconds.

        Returns the volts at the input terminals, (samples, inputs), before the converter's own noise,
        range and quantisation. The caller advances the clock.
        """


class CarrierPort(Protocol):
    """The array board's sockets: the chip's arrays and the sources that may be live."""

    def array_size(self, array: str) -> tuple[int, int] | None:
        """Rows and columns of an array, or None when the chip has none of that name."""

    def switching(self, what: str) -> None:
        """Called before switches move, so that hot switching is detected."""

    def exchange(self, volts: Floats, input_count: int, period: float) -> Floats:
        """Play samples of the board's own converters into the connected block; (samples, inputs), V."""


class BoardPort(Protocol):
    """The sockets of a board of one's own: its twin says how the switches stand. The caller advances the clock."""

    def array_size(self, array: str) -> tuple[int, int] | None:
        """Rows and columns of an array, or None when the chip has none of that name."""

    def ground(self) -> None:
        """Ground every line: no cell and no block is connected."""

    def connect_cell(self, cell: tuple[str, int, int] | None, path: str) -> None:
        """Connect a cell by ``READ``, ``SET`` or ``RESET``; other lines are grounded, and with ``OPEN`` all are."""

    def connect_multiply(
        self, array: str, rows: Sequence[int], columns: Sequence[int], *, transimpedance: float
    ) -> None:
        """Put rows on the outputs, and columns on amplifiers with a feedback of `transimpedance` (ohm)."""

    def connect_invert(
        self, positive: str, rows: Sequence[int], columns: Sequence[int], *, input_conductance: float,
        negative: str | None = None, second_slice: tuple[str, str] | None = None, slice_ratio: float = 0.0,
        diagonal: float = 0.0, diagonal_count: int = 0, bias: float = 0.0,
    ) -> None:  # fmt: skip
        """Close the loop of the amplifiers around rows and columns; conductances in S, as the bench gives them."""

    def exchange(self, volts: Floats, input_count: int, period: float) -> Floats:
        """Play samples of the board's own converters into the connected block; (samples, inputs), V."""


class CellsPort(Protocol):
    """The lines of all arrays, at an instrument that addresses cells by itself. The caller advances the clock."""

    def array_size(self, array: str) -> tuple[int, int] | None:
        """Rows and columns of an array, or None when the chip has none of that name."""

    def gate(self, volts: float) -> None:
        """Hold the word line of the addressed cell at `volts` (V)."""

    def read(self, cell: tuple[str, int, int], volts: float, aperture: float) -> float:
        """Return the current (A) of a cell at `volts`, averaged over `aperture` seconds, noise included."""

    def pulse(self, cell: tuple[str, int, int], volts: float, width: float, count: int) -> None:
        """Apply `count` pulses of `volts` (V; negative ones RESET) and `width` (s) to a cell."""

    def multiply(
        self, array: str, rows: Sequence[int], columns: Sequence[int], volts: Floats, period: float
    ) -> Floats:
        """Return the currents (samples, columns), A, out of columns at virtual ground for `volts` (samples, rows)."""


class ScopePort(Protocol):
    """An oscilloscope's probes at lines of the chip, a channel each."""

    def arm(self) -> None:
        """Forget what was seen, and wait for the next pulse or level."""

    def seen(self, times: Floats) -> Floats | None:
        """Return the voltages (channels, samples), V, at `times` (s) from the trigger on; None when none came."""


class NeedlesPort(Protocol):
    """The probes of a prober."""

    def moving(self, what: str) -> None:
        """Called before the probes touch, or lift, so that a live source is detected."""


class StagePort(Protocol):
    """A heated stage with a temperature sensor, at a temperature controller's output and input."""

    @property
    def temperature(self) -> float:
        """At the sensor, K."""

    def follow(self, act: Callable[[float], None]) -> None:
        """Call `act` with the temperature (K) whenever it has changed."""

    def regulate(self, start: float, target: float, rate: float, full: float) -> None:
        """Heat along a setpoint from `start` to `target` (K) at `rate` (K/s), with at most `full` K/s at full power."""

    def release(self) -> None:
        """Switch the heater off."""
