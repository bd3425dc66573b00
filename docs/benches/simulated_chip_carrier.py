"""Twin of the chip carrier: answers its text protocol, and tells its sockets how the switches stand."""

from __future__ import annotations

import numpy as np

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.lines import AnsweringDevice, Refusal
from mho.instruments.simulated.ports import BoardPort

SIZE = 8
PERIOD = 1e-3  # s, from one vector to the next
SWITCH_TIME = 10e-6  # s, of its reed relays
RANGE = 1.0  # V, of its 16-bit converters, either way
STEP = RANGE / 32768
INPUT_CONDUCTANCE = 35e-6  # S


class SimulatedChipCarrier(AnsweringDevice):
    """The firmware, around the chip in its sockets.

    `sockets`: the chip.
    `transimpedance`: feedback resistors that are fitted, ohm.
    """

    def __init__(
        self, clock: VirtualClock, rng: np.random.Generator, sockets: BoardPort, *,
        serial: str = "SIM00004", transimpedance: float = 20e3,
    ) -> None:  # fmt: skip
        super().__init__(clock, rng)
        self._sockets, self._serial, self._resistance = sockets, serial, transimpedance
        self._mode = "SAFE"

    def _do_id_asked(self) -> str:
        return f"CARRIER8,1.0,{self._serial}"

    def _do_mode_asked(self) -> str:
        return self._mode

    def _do_safe(self) -> str:
        self._sockets.ground()
        return self._switched("SAFE")

    def _do_prog(self) -> str:
        self._sockets.connect_cell(None, "OPEN")
        return self._switched("PROG")

    def _do_cell(self, array: str, row: str, column: str, path: str) -> str:
        if path not in ("READ", "SET", "RESET"):
            raise Refusal(f"no path {path}")
        self._there(array, [int(row)], [int(column)])
        self._sockets.connect_cell((array, int(row), int(column)), path)
        return self._switched("PROG")

    def _do_mul(self, array: str, rows: str, columns: str) -> str:
        block = self._there(array, _numbers(rows), _numbers(columns))
        self._sockets.connect_multiply(array, *block, transimpedance=self._resistance)
        return self._switched("MUL")

    def _do_inv(self, array: str, negative: str, rows: str, columns: str, diagonal: str, count: str) -> str:
        block = self._there(array, _numbers(rows), _numbers(columns))
        self._sockets.connect_invert(
            array, *block, negative=None if negative == "-" else negative, diagonal=float(diagonal),
            diagonal_count=int(count), input_conductance=INPUT_CONDUCTANCE,
        )  # fmt: skip
        return self._switched("INV")

    def _do_play(self, *words: str) -> str:
        volts = np.zeros((1, SIZE))
        volts[0, : len(words)] = [float(word) for word in words]
        if self._mode not in ("MUL", "INV") or not np.abs(volts).max() <= RANGE:
            raise Refusal(f"no block is connected, or beyond {RANGE:g} V")
        answer = self._sockets.exchange(STEP * np.rint(volts / STEP), SIZE, PERIOD)
        self.clock.advance(PERIOD)
        codes = np.clip(np.rint(answer[0] / STEP + 0.5 * self.rng.standard_normal(SIZE)), -32768, 32767)
        return " ".join(f"{STEP * code:.9e}" for code in codes)

    def _there(self, array: str, rows: list[int], columns: list[int]) -> tuple[list[int], list[int]]:
        height, width = self._sockets.array_size(array) or (0, 0)
        if not (0 <= min(rows) <= max(rows) < height and 0 <= min(columns) <= max(columns) < width):
            raise Refusal(f"{array} has no such lines")
        return rows, columns

    def _switched(self, mode: str) -> str:
        self._mode = mode
        self.clock.advance(SWITCH_TIME)
        return "OK"


def _numbers(words: str) -> list[int]:
    return [int(word) for word in words.split(",")]
