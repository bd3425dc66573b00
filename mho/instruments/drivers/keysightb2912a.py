"""Keysight B2912A source-measure unit: two channels behind one address.

B2900 Series SCPI Command Reference, B2910-90030, edition 2; what a channel does is in `keysightb2912a_channel`.
"""

from __future__ import annotations

from pymeasure.instruments import Instrument

from mho.errors import InstrumentError
from mho.instruments.drivers.keysightb2912a_channel import CURRENT_LIMIT, ELEMENTS, VOLTAGE, SourceChannel
from mho.instruments.drivers.languages.scpi_blocks import BlockInstrument, Floats
from mho.instruments.drivers.languages.source_meters import SourceMeterPair

BINARY_FROM = 32  # points from which binary transfer pays


class KeysightB2912A(SourceMeterPair, BlockInstrument):
    """A B2912A: two channels behind one address.

    ``instrument.channel(1)`` and ``instrument.channel(2)`` are the source-measure units; each is closed on
    its own.

    Parameters
    ----------
    address, visa_library, timeout, **connection
        As for `ScpiInstrument`.
    """

    VOLTAGE, CURRENT_LIMIT = VOLTAGE, CURRENT_LIMIT
    model = "B2912"
    setting_name = "ch{channel}_{setting}"
    ch_1: SourceChannel = Instrument.ChannelCreator(SourceChannel, 1)
    ch_2: SourceChannel = Instrument.ChannelCreator(SourceChannel, 2)

    line_frequency = Instrument.measurement(":SYST:LFR?", "Get the power line frequency, Hz.")

    @property
    def pair(self) -> dict[int, SourceChannel]:
        """The channels by number."""
        return {1: self.ch_1, 2: self.ch_2}

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
