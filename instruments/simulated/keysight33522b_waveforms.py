"""Volatile waveform memory of the simulated 33522B: arbitrary waveforms by name, one memory a channel.

33500 Series Operating and Service Guide, 33500-90901; the error numbers are from memory (?).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from instruments.simulated.clock import VirtualClock
from instruments.simulated.scpi import IndexedSetting, ScpiDevice, ScpiError, Setting, command, query
from instruments.simulated.scpi_parameters import Block, Choice, Numeric, Text, quote
from instruments.simulated.status import ERROR_TEXTS

SAMPLES = 1_000_000  # waveform memory of one channel
ARB_EXISTS, ARB_UNKNOWN = 786, 787


class WaveformMemory(ScpiDevice):
    """The part of the instrument that stores arbitrary waveforms."""

    sample_rate = IndexedSetting("[:SOURce[1|2]]:FUNCtion:ARBitrary:SRATe", Numeric(4e4, 1e-6, 2.5e8))
    byte_order = Setting(":FORMat:BORDer", Choice("NORM", ("NORMal", "SWAPped")))

    def __init__(self, clock: VirtualClock, rng: np.random.Generator, *, serial: str = "SIM00000") -> None:
        super().__init__(clock, rng, serial=serial)
        self.waveforms: dict[int, dict[str, NDArray[np.int16]]] = {1: {}, 2: {}}

    def reset(self) -> None:
        """Empty the memory."""
        self._arb = {1: "EXP_RISE", 2: "EXP_RISE"}
        for waveforms in self.waveforms.values():
            waveforms.clear()

    @command("[:SOURce[1|2]]:DATA:ARBitrary:DAC", Text(bare=True), Block())
    def _load_waveform(self, channel: int, name: str, data: bytes) -> None:
        memory = self.waveforms[channel]
        name = name.upper()
        if name in memory:
            raise ScpiError(ARB_EXISTS)
        samples = np.frombuffer(data[: len(data) // 2 * 2], "<i2" if self.byte_order == "SWAP" else ">i2")
        if len(data) % 2 or len(samples) < 8:
            raise ScpiError(-161)
        if sum(map(len, memory.values())) + len(samples) > SAMPLES:
            raise ScpiError(-225)
        memory[name] = samples

    @command("[:SOURce[1|2]]:DATA:VOLatile:CLEar")
    def _clear_waveforms(self, channel: int) -> None:
        self.waveforms[channel].clear()

    @query("[:SOURce[1|2]]:DATA:VOLatile:CATalog")
    def _query_waveforms(self, channel: int) -> str:
        return ",".join(map(quote, self.waveforms[channel])) or quote("")

    @query("[:SOURce[1|2]]:DATA:VOLatile:FREE")
    def _query_free(self, channel: int) -> str:
        return f"{SAMPLES - sum(map(len, self.waveforms[channel].values())):+d}"

    @command("[:SOURce[1|2]]:FUNCtion:ARBitrary", Text(bare=True))
    def _choose_waveform(self, channel: int, name: str) -> None:
        if name.upper() not in self.waveforms[channel]:
            raise ScpiError(ARB_UNKNOWN)
        self._arb[channel] = name.upper()

    @query("[:SOURce[1|2]]:FUNCtion:ARBitrary")
    def _query_waveform(self, channel: int) -> str:
        return quote(self._arb[channel])

    def error_texts(self) -> dict[int, str]:
        """Return the texts, with those of waveform memory."""
        return _TEXTS


_TEXTS = {
    **ERROR_TEXTS,
    ARB_EXISTS: "Specified arb waveform already exists",
    ARB_UNKNOWN: "Specified arb waveform does not exist",
}
