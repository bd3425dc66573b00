"""Simulated array board: decoders, analogue switches, amplifiers and converters (16-bit integers) of the chip's carrier.

The protocol is ours and stands in docs/array-board.md; a test holds page and class together.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mho.instruments.simulated.analogue import FULL, INPUT_RANGE, OUTPUT_RANGE, codes_of
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.ports import CarrierPort
from mho.instruments.simulated.scpi.instrument import ScpiDevice, ScpiError, Setting, command, query
from mho.instruments.simulated.scpi.parameters import (
    BlockParameter,
    ChannelList,
    Choice,
    Numeric,
    Text,
    block_text,
)

CHANNELS = 32  # outputs, and inputs, of a board that is not said to have more
MOST_CHANNELS = 4096  # of any board: as many as an array has lines
MEMORY = 65536  # codes that the board keeps
CODE = "<i2"


def _check_there(number: float, count: int, what: str) -> None:
    if number > count:
        raise ScpiError(-222, f"the board has {count} {what}")


SWITCH_TIME = 2e-6  # s, break before make of the analogue switches
MODE_TIME = 1e-3  # s, all lines are grounded before a mode changes
SLICE_RATIO = 16.0  # of the dividers in front of a second slice


class SimulatedArrayBoard(ScpiDevice):
    """The board's firmware: refuses every unsafe command. Outputs are at 0 V but while vectors are played.

    `carrier`: the chip on the board.
    `transimpedance`: feedback resistors of the MULTIPLY amplifiers, ohm.
    `input_conductance`: input resistors' conductance in INVERT mode, S.
    `channels`: number of the converters' outputs, and of their inputs.
    `slice_ratio`: ratio of the dividers in front of a loop's second slice; 0 without dividers.
    """

    identity = "MHO,ARRAY BOARD,{serial},1.0"

    mode = Setting(":MODE", Choice("SAFE", ("SAFE", "PROGram", "MULTiply", "INVert")))
    path = Setting(":ROUTe:PATH", Choice("OPEN", ("OPEN", "READ", "SET", "RESet")))
    watchdog = Setting(":SYSTem:WDOG", Numeric(0.0, 0.0, 3600.0, unit="S"))
    diagonal = Setting(":CONFigure:INVert:DIAGonal", Numeric(0.0, 0.0, 0.1, unit="S"))
    diagonal_count = Setting(":CONFigure:INVert:DIAGonal:COUNt", Numeric(0, 0, 4096, integer=True))
    bias = Setting(":CONFigure:INVert:BIAS", Numeric(0.0, 0.0, 0.1, unit="S"))

    period = Setting(":SOURce:DAC:PERiod", Numeric(1e-5, 1e-6, 1.0, unit="S"))

    commands = {
        ":SOURce:DAC?": lambda self: "{},{}".format(*self._samples.shape),
        ":SOURce:DAC:COUNt?": lambda self: str(self.output_count),
        ":SOURce:DAC:RANGe?": lambda self: f"{OUTPUT_RANGE:.9E}",
        ":READ:ARRay:COUNt?": lambda self: str(self.input_count),
        ":READ:ARRay:RANGe?": lambda self: f"{INPUT_RANGE:.9E}",
        ":ROUTe:CELL?": lambda self: '"{}",{},{}'.format(*self.cell) if self.cell else "NONE",
        ":CONFigure:INVert:NEGative?": lambda self: f'"{self.negative}"' if self.negative else "NONE",
        ":CONFigure:INVert:SLICe?": lambda self: (
            '"{}","{}"'.format(*self.second_slice) if self.second_slice else "NONE"
        ),
        ":CONFigure:INVert:SLICe:RATio?": lambda self: f"{self.slice_ratio:.9E}",
        ":CONFigure:INVert:CONDuctance?": lambda self: f"{self.input_conductance:.9E}",
        ":CONFigure:MULTiply:RESistance?": lambda self: f"{self.transimpedance:.9E}",
        ":OUTPut:SAFE": lambda self: self._ground(),
        ":OUTPut:SAFE?": lambda self: str(int(self.mode == "SAFE" and self.path == "OPEN")),
    }

    def __init__(
        self, clock: VirtualClock, rng: np.random.Generator, carrier: CarrierPort, *,
        serial: str = "SIM00004", transimpedance: float = 20e3, input_conductance: float = 35e-6,
        channels: int = CHANNELS, slice_ratio: float = SLICE_RATIO,
    ) -> None:  # fmt: skip
        self._carrier = carrier
        self.output_count = self.input_count = channels
        self._samples: NDArray[np.int16] = np.zeros((0, 1), np.int16)
        self.slice_ratio = slice_ratio
        self.transimpedance, self.input_conductance = transimpedance, input_conductance
        self.cell: tuple[str, int, int] | None = None
        self.block: tuple[str, tuple[int, ...], tuple[int, ...]] | None = None
        self.negative: str | None = None
        self.second_slice: tuple[str, str] | None = None
        # Value at which ``path`` or ``mode`` is stuck as switches no longer move (fault injection)
        self.stuck: dict[str, str] = {}
        self._last_message = 0.0
        super().__init__(clock, rng, serial=serial)

    def _reset(self) -> None:
        self._ground()  # first, while it is known what is connected
        super()._reset()

    @command(":SOURce:DAC", Numeric(1, 1, MOST_CHANNELS, integer=True), BlockParameter())
    def _load(self, outputs: float, data: bytes) -> None:
        _check_there(outputs, self.output_count, "outputs")
        vector = 2 * int(outputs)
        if not data or len(data) % vector:
            raise ScpiError(-161, f"samples of {vector} bytes, not {len(data)} bytes")
        if len(data) > 2 * MEMORY:
            raise ScpiError(-223, f"at most {MEMORY} codes")
        self._samples = np.frombuffer(data, CODE).reshape(-1, int(outputs))

    @query(":READ:ARRay", Numeric(1, 1, MOST_CHANNELS, integer=True))
    def _play(self, inputs: float) -> str:
        _check_there(inputs, self.input_count, "inputs")
        if self.block is None:
            raise ScpiError(-221, "the converters need mode MULTiply or INVert and a connected block")
        if not len(self._samples):
            raise ScpiError(-221, "no samples are loaded")
        volts = np.zeros((len(self._samples), self.output_count))
        volts[:, : self._samples.shape[1]] = self._samples * (OUTPUT_RANGE / FULL)
        answer = self._carrier.exchange(volts, self.input_count, self.period)[:, : int(inputs)]
        self.clock.advance(len(volts) * self.period)
        return block_text(codes_of(answer, INPUT_RANGE).astype(CODE).tobytes())

    def write(self, data: bytes, end: bool = True) -> None:
        """Receive a message, which counts as a sign of life."""
        if self.clock.now - self._last_message > self.watchdog:
            self.watch()
        super().write(data, end)
        self._last_message = self.clock.now

    def closes(self, path: str) -> bool:
        """Return whether the switch of a path (``"READ"``, ``"SET"``, ``"RES"``) is commanded closed."""
        return bool(self.path == path)

    def heard(self, last: float, until: float) -> bool:
        """Assume regular signs of life `until` a time, if the `last` message (s) arrived; return whether it did."""
        came = self._last_message >= last
        if came:
            self._last_message = max(self._last_message, until)
        return came

    def watch(self) -> None:
        """Go safe when the last message is longer ago than the watchdog allows.

        The firmware does this at that moment; here it is done before the state of the board is used.
        """
        silent = self.clock.now - self._last_message
        if self.watchdog and silent > self.watchdog and self.mode != "SAFE":
            self._ground()
            self.push_error(-300, "watchdog expired; board is SAFE")

    @property
    def goes_safe_at(self) -> float:
        """Time at which the watchdog grounds the board unless a message arrives, s; infinite when disarmed."""
        return self._last_message + self.watchdog if self.watchdog and self.mode != "SAFE" else math.inf

    def _ground(self) -> None:
        self._carrier.switching("mode")
        self._put("path", "OPEN")
        self._put("mode", "SAFE")
        self._samples = np.zeros((0, 1), np.int16)
        self._disconnect()
        self.clock.advance(MODE_TIME)

    def _disconnect(self) -> None:
        self.cell = self.block = self.negative = self.second_slice = None

    def _put(self, name: str, value: str) -> None:
        setattr(self, name, self.stuck.get(name, value))

    @mode.check
    def _check_mode(self, mode: str) -> None:
        if mode != "SAFE" and self.path != "OPEN":
            raise ScpiError(-221, "open the path before the mode changes")

    @mode.on_change
    def _mode_changed(self, mode: str) -> None:
        self._carrier.switching("mode")
        self._put("mode", mode)
        self._put("path", "OPEN")
        self._disconnect()
        self.clock.advance(MODE_TIME)

    @path.check
    def _check_path(self, path: str) -> None:
        if path == "OPEN":
            if self.path != "OPEN":
                self._carrier.switching("path")  # while the path is still known that opens
            return
        if self.mode != "PROG" or self.cell is None:
            raise ScpiError(-221, "a path needs mode PROGram and a selected cell")
        if self.path not in ("OPEN", path):
            raise ScpiError(-221, "open the path before another is closed")

    @path.on_change
    def _path_changed(self, path: str) -> None:
        if path != "OPEN":
            self._carrier.switching("path")
        if self.stuck:
            self._put("path", path)
        self.clock.advance(SWITCH_TIME)

    def _check_array(self, array: str) -> tuple[int, int]:
        size = self._carrier.array_size(array)
        if size is None:
            raise ScpiError(-224, f"no array {array}")
        return size

    @command(":ROUTe:CELL", Text(), Numeric(0, 0, 4095, integer=True), Numeric(0, 0, 4095, integer=True))
    def _select(self, array: str, row: float, column: float) -> None:
        rows, columns = self._check_array(array)
        if self.mode != "PROG" or self.path != "OPEN":
            raise ScpiError(-221, "a cell is selected in mode PROGram with the path open")
        if not (row < rows and column < columns):
            raise ScpiError(-222, f"cell {int(row)},{int(column)} outside {rows} x {columns}")
        self.cell = (array, int(row), int(column))

    @command(":ROUTe:BLOCk", Text(), ChannelList(), ChannelList())
    def _connect(self, array: str, rows: tuple[int, ...], columns: tuple[int, ...]) -> None:
        sizes = [self._check_array(array)]
        if self.mode not in ("MULT", "INV"):
            raise ScpiError(-221, "a block is connected in mode MULTiply or INVert")
        if self.mode == "INV" and len(rows) != len(columns):
            raise ScpiError(-221, "a loop needs as many rows as columns")
        if self.mode == "INV":
            further = [] if self.negative is None else [self.negative]
            further += self.second_slice or ()
            if len({array, *further}) <= len(further):
                raise ScpiError(-221, "an array serves once in a loop")
            sizes += [self._check_array(name) for name in further]
        for lines, length in zip((rows, columns), map(min, zip(*sizes, strict=True)), strict=True):
            if len(set(lines)) != len(lines) or max(lines) >= length:
                raise ScpiError(-222, f"lines must differ and lie in 0..{length - 1}")
        self._carrier.switching("block")
        self.clock.advance(SWITCH_TIME)
        self.block = (array, rows, columns)

    @query(":ROUTe:BLOCk")
    def _connected(self) -> str:
        if self.block is None:
            return "NONE"
        array, rows, columns = self.block
        lists = ("(@" + ",".join(map(str, lines)) + ")" for lines in (rows, columns))
        return f'"{array}",' + ",".join(lists)

    @command(":CONFigure:INVert:NEGative", Text(bare=True))
    def _set_negative(self, array: str) -> None:
        if array.upper() != "NONE":
            self._check_array(array)
        self.negative = None if array.upper() == "NONE" else array
        self.second_slice, self.bias = None, 0.0

    @command(":CONFigure:INVert:SLICe", Text(), Text())
    def _set_second_slice(self, positive: str, negative: str) -> None:
        if not self.slice_ratio:
            raise ScpiError(-241, "no dividers for a second slice")
        for array in (positive, negative):
            self._check_array(array)
        self.second_slice = positive, negative
