"""Driver of an ArC TWO at a passive crossbar, by ArC Instruments' library pyarc2 (0.6.0).

Facts are from pyarc2's documentation, from libarc2 0.6, which it calls, and from arc2control, their own programme; the page
beside this file says which is whose. Only what is queued and fetched later is used (``…_deferred``, `pick_one`): calls that
read at once wait without end for an instrument that is gone, and pass a failure on as a panic of Rust's.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from mho.errors import InstrumentError
from mho.instruments.roles import Cell, Reading

CHANNELS = 64
CLUSTER = 8  # channels whose fast drivers share timing and polarity (pulse_slice_fast_open)
LEVEL = (
    10.0  # V, largest at a channel; libarc2 takes the nearest that there is for one beyond, and says nothing
)
LIVE = 0.02  # V, from which on a channel is not at rest
PULSES = 40e-9, 80.0  # s: shorter ones are made 40 ns long, and a delay ends after 2^32 times 20 ns
CLIPPED = 12e-3  # A, largest current of a channel
BATCH, LONGEST = 64, 1.0  # operations, or seconds of them, that are sent at once
PATIENCE = 5.0  # s, beyond the time that a batch takes


class ArcTwo:
    """The instrument; serves `select`, `read`, `sweep`, `pulse` and `multiply`.

    Rows are at the channels `words`, columns at `bits`. A row is positive for a positive voltage. No cell but the selected
    one sees more than half of a voltage: a pulse is half at its row and half, negative, at its column, with the other
    lines at 0 V; a reading is at its row, with the column and the other rows at 0 V, so that no other cell adds to the
    current, and the other columns at one half. Each batch that is sent ends with all channels at 0 V, without the host,
    too.

    `address`: ``"ArC TWO"`` for the only one that is connected, or with its number, ``"ArC TWO 1"``.
    `library`: what stands for pyarc2.
    `firmware`: file that is loaded into the instrument when it is opened.
    `control`: ``"internal"`` for a package in the daughterboard's socket, ``"header"`` for what is at its pins.
    """

    edge = 20e-9  # s (?): half of the shortest pulse
    sample_period = 160e-6  # s: the delays of `config_channels` and `read_slice_open_deferred`

    def __init__(
        self, address: str, library: Any = None, *, firmware: str, words: Sequence[int], bits: Sequence[int],
        control: str = "internal",
    ) -> None:  # fmt: skip
        _check_wiring(words, bits)
        if control not in ("internal", "header"):
            raise InstrumentError(f"`control` of the ArC TWO is {control!r}: take 'internal' or 'header'")
        self._library = import_module("pyarc2") if library is None else library
        self._words, self._bits, self._control = list(words), list(bits), control
        self._firmware, self._answered = firmware, True
        self._row = self._column = 0
        with self._calls():
            self._id = _chosen(address, self._library.find_ids())
        try:
            self._unit = self._library.Instrument(self._id, firmware)
        except self._library.ArC2Error as error:
            there = (
                "" if Path(firmware).is_file() else f"; there is no file {firmware!r}: name its `firmware`"
            )
            raise InstrumentError(f"ArC TWO {self._id} cannot be opened: {error}{there}") from error
        with self._calls():
            mode = self._library.ControlMode
            self._unit.set_control_mode(mode.Internal if control == "internal" else mode.Header)
            self._unit.finalise_operation(self._library.IdleMode.SoftGnd)  # what floats is at any voltage
        self.output_count, self.input_count = len(words), len(bits)

    @contextmanager
    def _calls(self) -> Iterator[None]:
        """Call the library; its error is an `InstrumentError`."""
        try:
            yield
        except self._library.ArC2Error as error:
            raise InstrumentError(f"the ArC TWO failed: {error}") from error

    def _finish(self, seconds: float) -> None:
        """Wait until what was sent is done, which takes `seconds`."""
        last = time.monotonic() + seconds + PATIENCE
        while self._unit.busy():
            if time.monotonic() > last:
                raise InstrumentError(
                    f"the ArC TWO is busy for more than {seconds + PATIENCE:.3g} s: look at its USB cable and supply"
                )
            time.sleep(1e-3)

    def _next(self, kind: str) -> Any:
        """Return the next result of all channels (64,), in A or V."""
        kinds = self._library.ReadType
        answer = self._unit.pick_one(self._library.DataMode.All, getattr(kinds, kind))
        if answer is None:
            raise InstrumentError("the ArC TWO has no result of a reading that it was sent")
        return np.asarray(answer, np.float64)

    def _begin(self) -> None:
        """Forget the results of what was interrupted: they would be taken for the next ones."""
        results = self._library
        while not self._answered:
            self._answered = self._unit.pick_one(results.DataMode.All, results.ReadType.Current) is None
        self._answered = False

    # --- what every instrument does ---

    def identify(self) -> str:
        """Return which one it is, with what is loaded; it tells no serial number."""
        version = self._library.LIBARC2_VERSION
        return f"ArC Instruments,ArC TWO {self._id},{Path(self._firmware).name},libarc2 {version}"

    def settings(self) -> dict[str, str]:
        """Return what run files keep of it."""
        rows, columns = (" ".join(map(str, channels)) for channels in (self._words, self._bits))
        return {"rows": rows, "columns": columns, "control": self._control, "lines at rest": "0 V"}

    @property
    def output_enabled(self) -> bool:
        """Whether a channel is at a voltage, as the instrument's own converters read them back."""
        return bool(self._live())

    def _live(self) -> list[int]:
        """Return the channels that are not at 0 V; what cannot be read is not believed to be."""
        with self._calls():
            self._begin()
            self._unit.vread_channels_deferred(range(CHANNELS), True)
            self._unit.execute()
            self._finish(0.0)
            volts = self._next("Voltage")
            self._answered = True
        return [int(channel) for channel in np.flatnonzero(~(np.abs(volts) < LIVE))]

    def make_safe(self) -> None:
        """Ground all channels, and read back whether they are at 0 V."""
        with self._calls():
            self._unit.finalise_operation(self._library.IdleMode.HardGnd)
            self._finish(0.0)
        if live := self._live():
            raise InstrumentError(f"channels {live} of the ArC TWO are not at 0 V; take its supply off")

    def close(self) -> None:
        """Release the instrument."""
        self._unit = None

    # --- operations ---

    def select(self, cell: Cell) -> None:
        """Address one cell."""
        if cell.row >= len(self._words) or cell.column >= len(self._bits):
            raise InstrumentError(
                f"no channel for row {cell.row}, column {cell.column}: `words` and `bits` name {len(self._words)} and "
                f"{len(self._bits)}"
            )
        self._row, self._column = cell.row, cell.column

    def read(self, voltage: float) -> Reading:
        """Measure once at `voltage` (V)."""
        return self.sweep([voltage])[0]

    def sweep(self, voltages: Sequence[float], delay: float = 0.0) -> list[Reading]:
        """Step through `voltages` (V), wait `delay` (s) at each and measure."""
        row, column = self._words[self._row], self._bits[self._column]
        others = [one for one in self._bits if one != column]
        levels = np.array(voltages, np.float64)[:, None] * [1.0, *[0.5] * len(others)]
        currents = self._currents([row, *others], [column], levels, delay)[:, 0].tolist()
        return [_reading(volts, amperes) for volts, amperes in zip(voltages, currents, strict=True)]

    def multiply(
        self, array: str, rows: Sequence[int], columns: Sequence[int], volts: np.ndarray[Any, Any]
    ) -> np.ndarray[Any, Any]:
        """Return currents (samples, columns), A, for `volts` (samples, rows); other rows are at 0 V."""
        driven, read = [self._words[row] for row in rows], [self._bits[column] for column in columns]
        currents = self._currents(driven, read, volts, 0.0)
        if (np.abs(currents) >= CLIPPED).any():
            column = columns[int(np.argmax(np.abs(currents).max(axis=0)))]
            raise InstrumentError(
                f"column {column} draws more than the {CLIPPED:g} A of a channel: lower the vector"
            )
        return currents

    def _currents(
        self, driven: list[int], read: list[int], volts: np.ndarray[Any, Any], delay: float
    ) -> np.ndarray[Any, Any]:
        """Return the currents (samples, read), A, into the channels `read` for `volts` (samples, driven) at others.

        All but the driven ones are at 0 V. A channel tells the current that flows into it as positive.
        """
        if not (np.abs(volts) <= LEVEL).all():
            raise InstrumentError(f"a channel of the ArC TWO gives at most {LEVEL:g} V: lower the voltage")
        answers: list[Any] = []
        size = _batch(delay)
        for start in range(0, len(volts), size):
            batch = volts[start : start + size]
            with self._calls():
                self._begin()
                self._unit.connect_to_gnd([])
                for levels in batch.tolist():
                    self._unit.config_channels(list(zip(driven, levels, strict=True)), 0.0)
                    if delay:
                        self._unit.delay(round(1e9 * delay))
                    self._unit.read_slice_open_deferred(read, True)
                self._unit.finalise_operation(self._library.IdleMode.SoftGnd)
                self._finish(delay * len(batch))
                answers += [self._next("Current")[read] for _ in batch]
                self._answered = True
        return np.array(answers).reshape(len(volts), len(read))

    def pulse(self, voltage: float, width: float, count: int = 1) -> None:
        """Apply `count` pulses of `voltage` (V) and `width` (s): half of it at the row, half at the column."""
        if abs(voltage) > 2.0 * LEVEL:
            raise InstrumentError(
                f"two channels of the ArC TWO give at most {2.0 * LEVEL:g} V: lower the pulse"
            )
        nanoseconds = 10 * round(1e8 * width)
        if not PULSES[0] <= 1e-9 * nanoseconds <= PULSES[1]:
            raise InstrumentError(
                f"a pulse of {width:g} s is none of the ArC TWO's: it makes {PULSES[0]:g} to {PULSES[1]:g} s"
            )
        high, low, size = self._words[self._row], self._bits[self._column], _batch(width)
        for start in range(0, count, size):
            pulses = min(size, count - start)
            with self._calls():
                self._unit.connect_to_gnd([])
                self._unit.ground_all()  # the other lines are at 0 V, and do not float
                for _ in range(pulses):
                    self._unit.pulse_one(low, high, voltage, nanoseconds).ground_all_fast()
                self._unit.finalise_operation(self._library.IdleMode.SoftGnd)
                self._finish(width * pulses)


def _batch(seconds: float) -> int:
    """Return how many operations of `seconds` are sent at once."""
    return max(1, min(BATCH, int(LONGEST / max(seconds, 1e-9))))


def _reading(volts: float, amperes: float) -> Reading:
    clipped = abs(amperes) >= CLIPPED
    return Reading(volts, np.copysign(np.inf, amperes) if clipped else amperes, clipped)


def _check_wiring(words: Sequence[int], bits: Sequence[int]) -> None:
    """Raise `InstrumentError` for channels that there are not, or that cannot be the two sides of a pulse."""
    both = [*words, *bits]
    if not (words and bits) or any(type(one) is not int or not 0 <= one < CHANNELS for one in both):
        raise InstrumentError(f"`words` and `bits` of the ArC TWO are lists of channels, 0 to {CHANNELS - 1}")
    if len(set(both)) < len(both):
        twice = next(one for one in both if both.count(one) > 1)
        raise InstrumentError(f"`words` and `bits` of the ArC TWO name channel {twice} twice")
    if shared := {one // CLUSTER for one in words} & {one // CLUSTER for one in bits}:
        first = CLUSTER * min(shared)
        raise InstrumentError(
            f"`words` and `bits` of the ArC TWO share channels {first} to {first + CLUSTER - 1}, whose fast drivers pulse "
            "to one side only: wire rows and columns to different groups of eight"
        )


def _chosen(address: str, ids: Sequence[int]) -> int:
    """Return the number of the instrument at an address; `InstrumentError` where none, or several, can be meant."""
    named = re.fullmatch(r"ArC TWO(?: (\d+))?", address.strip(), re.IGNORECASE)
    if named is None:
        raise InstrumentError(f"{address!r} is no ArC TWO: write 'ArC TWO', or with its number, 'ArC TWO 0'")
    there = ", ".join(f"'ArC TWO {one}'" for one in ids)
    if not ids:
        raise InstrumentError(
            "no ArC TWO is connected: look at its USB cable, its supply, and the CESYS driver of its FPGA board"
        )
    if named[1] is None and len(ids) > 1:
        raise InstrumentError(f"several ArC TWO are connected: say as `address` which, {there}")
    if named[1] is not None and int(named[1]) not in ids:
        raise InstrumentError(f"{address!r} is not connected: there is {there}")
    return ids[0] if named[1] is None else int(named[1])
