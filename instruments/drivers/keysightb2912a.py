"""Keysight B2912A source-measure unit: two channels behind one address.

B2900 Series SCPI Command Reference, B2910-90030, edition 2; what a channel does is in `keysightb2912a_channel`.
"""

from __future__ import annotations

from typing import Any

from pymeasure.adapters import Adapter
from pymeasure.instruments import Instrument

from instruments.drivers.keysightb2912a_channel import ELEMENTS, SourceChannel
from instruments.drivers.scpi import one_of
from instruments.drivers.scpi_blocks import BlockInstrument, Floats
from mho_errors import InstrumentError

BINARY_FROM = 32  # points from which binary transfer pays


class KeysightB2912A(BlockInstrument):
    """A B2912A: two channels behind one address.

    ``instrument.channel(1)`` and ``instrument.channel(2)`` are the source-measure units; each is closed on
    its own.

    Parameters
    ----------
    address, visa_library, timeout, **connection
        As for `ScpiInstrument`.
    """

    model = "B2912"
    ch_1: SourceChannel = Instrument.ChannelCreator(SourceChannel, 1)
    ch_2: SourceChannel = Instrument.ChannelCreator(SourceChannel, 2)

    line_frequency = Instrument.measurement(":SYST:LFR?", "Get the power line frequency, Hz.")

    def __init__(
        self, address: str | Adapter, visa_library: str = "", *, timeout: float = 5.0, **connection: Any
    ) -> None:
        self._in_use: set[int] = set()
        super().__init__(address, visa_library, timeout=timeout, **connection)

    def channel(self, number: int) -> SourceChannel:
        """Return channel 1 or 2, which is in use from now on; raises `InstrumentError` for another number."""
        one_of(number, (1, 2), f"channel of {self._title}")
        self._in_use.add(number)
        return self.ch_1 if number == 1 else self.ch_2

    def release(self, number: int) -> None:
        """Note that a channel is not in use any more; the last one closes the connection."""
        if number in self._in_use:
            self._in_use.discard(number)
            if not self._in_use:
                self.close()

    def fetch(self, channel: int, count: int) -> Floats:
        """Return volts, amperes and status of the `count` points of a channel's last run, one after the other.

        Long runs travel as ``REAL,32``.
        """
        query = f":FETC:ARR? (@{channel})"
        with self._patience(count * 1e-3):
            if count < BINARY_FROM:
                values = self.exchange_numbers(query)
            else:
                self.exchange(":FORM REAL,32;:FORM:BORD SWAP")
                try:
                    values = self.exchange_block(query, "<f4")
                finally:
                    self.exchange(":FORM ASC")
        if len(values) != ELEMENTS * count:
            raise InstrumentError(
                f"{self._title} returned {len(values) / ELEMENTS:g} points instead of {count}"
            )
        return values

    # --- roles.Instrument ---

    def settings(self) -> dict[str, str]:
        """Return the settings of both channels, as text."""
        return {
            f"ch{channel.id}_{name}": text
            for channel in (self.ch_1, self.ch_2)
            for name, text in channel.settings().items()
        }

    def make_safe(self) -> None:
        """Bring both channels to 0 V and off, confirmed by query; the second one even if the first fails.

        Raises
        ------
        InstrumentError
            When it cannot be confirmed.
        """
        try:
            self.ch_1.make_safe()
        finally:
            self.ch_2.make_safe()
