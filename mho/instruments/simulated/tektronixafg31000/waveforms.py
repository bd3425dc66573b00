"""Waveform memory of the simulated AFG31000: the edit memories and the user memories, 14 bits a sample.

AFG31000 Series Programmer Manual, 077-1148. (?) from memory: the error numbers, that a copy to a user
memory that holds something replaces it, and that a memory which a channel plays cannot be deleted.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.scpi.instrument import ScpiDevice, ScpiError, command, query
from mho.instruments.simulated.scpi.parameters import BlockParameter, Choice, Numeric, block_text

FULL_SCALE = 16382
LONGEST = 131072
USERS = tuple(f"USER{number}" for number in range(1, 256))
EDITS = ("EMEM", "EMEM2")
_EDIT = Choice("EMEM", ("EMEMory", "EMEMory1", "EMEMory2"))
_ANY = Choice("EMEM", ("EMEMory", "EMEMory1", "EMEMory2", *USERS))
_USER = Choice("USER1", USERS)


def _memory(name: str) -> str:
    """Return the memory that a mnemonic means: ``EMEM1`` is the same as ``EMEM``."""
    return "EMEM" if name == "EMEM1" else name


class WaveformMemory(ScpiDevice):
    """The part of the instrument that stores arbitrary waveforms."""

    def __init__(self, clock: VirtualClock, rng: np.random.Generator, *, serial: str = "SIM00000") -> None:
        super().__init__(clock, rng, serial=serial)
        self.waveforms: dict[str, NDArray[np.uint16]] = {}
        self._erase()

    def _erase(self) -> None:
        """Power-on state of the edit memories: 1000 samples of mid-scale. User memories are kept."""
        for name in EDITS:
            self.waveforms[name] = np.full(1000, FULL_SCALE // 2, np.uint16)

    @command(":DATA[:DATA]", _EDIT, BlockParameter())
    @command(":TRACe[:DATA]", _EDIT, BlockParameter())
    def _load_waveform(self, name: str, data: bytes) -> None:
        samples = np.frombuffer(data[: len(data) // 2 * 2], ">u2").astype(np.uint16)
        if len(data) % 2 or not 2 <= len(samples) <= LONGEST:
            raise ScpiError(-161)
        if samples.max() > FULL_SCALE:
            raise ScpiError(-222, "sample")
        self.waveforms[_memory(name)] = samples

    @query(":DATA[:DATA]", _ANY)
    @query(":TRACe[:DATA]", _ANY)
    def _query_waveform(self, name: str) -> str:
        return block_text(self._stored(name).astype(">u2").tobytes())

    def _stored(self, name: str) -> NDArray[np.uint16]:
        if _memory(name) not in self.waveforms:
            raise ScpiError(-221, f"{name} is empty")
        return self.waveforms[_memory(name)]

    def fractions(self, name: str) -> NDArray[np.float64]:
        """Return a waveform's samples, -1 for the low level to 1 for the high one."""
        return self._stored(name) / (FULL_SCALE / 2) - 1.0

    @command(":DATA:COPY", _ANY, _ANY)
    @command(":TRACe:COPY", _ANY, _ANY)
    def _copy_waveform(self, target: str, source: str) -> None:
        self.waveforms[_memory(target)] = self._stored(source)

    @command(":DATA:DELete[:NAME]", _USER)
    @command(":TRACe:DELete[:NAME]", _USER)
    def _delete_waveform(self, name: str) -> None:
        self._stored(name)
        if self.plays(name):
            raise ScpiError(-221, f"{name} is in use")
        del self.waveforms[name]

    def plays(self, name: str) -> bool:
        """Whether a channel has chosen this memory as its waveform."""
        raise NotImplementedError

    @command(":DATA:POINts", _EDIT, Numeric(1000, 2, LONGEST, integer=True))
    @command(":TRACe:POINts", _EDIT, Numeric(1000, 2, LONGEST, integer=True))
    def _set_points(self, name: str, count: float) -> None:
        """Lengthen with mid-scale, or cut off."""
        samples = np.full(int(count), FULL_SCALE // 2, np.uint16)
        kept = self._stored(name)[: int(count)]
        samples[: len(kept)] = kept
        self.waveforms[_memory(name)] = samples

    @query(":DATA:POINts", _ANY)
    @query(":TRACe:POINts", _ANY)
    def _query_points(self, name: str) -> str:
        return str(len(self._stored(name)))

    @query(":DATA:CATalog")
    @query(":TRACe:CATalog")
    def _query_catalog(self) -> str:
        return ",".join(f'"{name}"' for name in self.waveforms)
