"""Keithley 2636B source-measure unit, by TSP scripts: two channels that read cells, sweep them, and drive gates.

Series 2600B Reference Manual 2600BS-901-01 (Rev. B and C); pages where given. Functions in Lua, loaded once, do
what the lab does most, so that a read or a list of reads is one message. (?) marks what is to be checked on
hardware: that a sweep needs the output on, and the size of a source list.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pymeasure.adapters import Adapter
from pymeasure.instruments import Instrument

from instruments.drivers.keithley2636b_script import SCRIPT
from instruments.drivers.keithley2636b_settings import (
    CURRENT_LIMIT,
    CURRENT_RANGE,
    NPLC,
    VOLTAGE,
    Keithley2636BSettings,
)
from instruments.drivers.tsp import (
    Span,
    TspInstrument,
    lua_list,
    reading,
    within,
)
from instruments.roles import Reading
from mho_errors import InstrumentError

LISTED_AT_ONCE = 100  # values one message carries
LIST_SIZE = 2500  # values a source list may have (?)
COMPLIANCE = 0x40  # bit of a reading's status: limited (p. 7-238 (?))
OVERFLOW = 9.9e37
OFF_LIMIT = 1e-3  # A, the largest current the output may carry when it is off
AUTOZERO_FACTOR = 3  # apertures a reading takes with automatic zeroing (?)


class Keithley2636BChannel(Keithley2636BSettings):
    """One channel of a 2636B as `instruments.roles.SourceMeter`: volts out, amperes in."""

    def __init__(self, parent: Keithley2636B, id: str) -> None:
        super().__init__(parent, id)
        self._aperture = 25 / 50 * AUTOZERO_FACTOR  # s, the longest there is, until `configure` knows

    @property
    def _title(self) -> str:
        return f"{self.parent._title}, {self.id}"

    # --- roles.Instrument ---

    def identify(self) -> str:
        """Return the instrument's reply to ``*IDN?``."""
        identity: str = self.parent.identify()
        return identity

    def settings(self) -> dict[str, str]:
        """Return the properties named in `recorded`, as text."""
        return {name: str(getattr(self, name)) for name in self.recorded}

    def make_safe(self) -> None:
        """End a sweep, and bring the level to 0 V and the output off, confirmed by query.

        A device clear comes first, which ends what the other channel's script is doing, too.

        Raises
        ------
        InstrumentError
            When it cannot be confirmed.
        """
        try:
            self.parent.interrupt()
            self.parent.exchange(f"errorqueue.clear() {self.id}.abort() {self.id}.source.levelv = 0")
        finally:
            self.output_enabled = False
        if self.output_enabled:
            raise InstrumentError(f"{self._title} still has its output on; switch it off by hand")

    def close(self) -> None:
        """Give the channel back; the connection is released with the last one. No output changes."""
        self.parent.release(self)

    # --- roles.SourceMeter ---

    def configure(self, *, current_limit: float, current_range: float, nplc: float) -> None:
        """Prepare sourcing volts and measuring amperes; the output keeps its state.

        Off means 0 V with at most `current_limit`, and never more than 1 mA; the relay stays closed.

        Parameters
        ----------
        current_limit : float
            Compliance, A; read back and compared.
        current_range : float
            Largest current to be measured, A.
        nplc : float
            Integration time in power line cycles, 0.001 to 25.

        Raises
        ------
        LimitError
            For a value beyond the instrument's abilities.
        InstrumentError
            When the instrument refuses, or its limit is another than the one asked for.
        """
        within(current_limit, CURRENT_LIMIT)
        within(current_range, CURRENT_RANGE)
        within(nplc, NPLC)
        if self.source_function != "VOLTS":
            self.source_function = "VOLTS"
        if self.parent.voltage_range is None:
            self.source_voltage_range_auto = True
        else:
            self.source_voltage_range = self.parent.voltage_range
        self.current_limit = current_limit
        self.current_range = current_range
        self.nplc = nplc
        self.output_off_function = "VOLTS"
        self.output_off_limit = min(current_limit, OFF_LIMIT)
        self.output_off_mode = "NORMAL"
        factor = AUTOZERO_FACTOR if self.autozero == "AUTO" else 1
        self._aperture = factor * nplc / self.parent.line_frequency
        actual = self.current_limit
        if not abs(actual - current_limit) <= 1e-3 * current_limit:
            raise InstrumentError(
                f"{self._title} set a current limit of {actual:g} A instead of {current_limit:g} A; "
                "choose a limit that the instrument can hold"
            )

    def enable(self) -> None:
        """Switch the output on at 0 V."""
        # A sweep that somebody has armed would put its own level on the terminals.
        self.parent.exchange(
            f"{self.id}.abort() {self.id}.source.levelv = 0 {self.id}.source.output = {self.id}.OUTPUT_ON"
        )

    def hold(self, voltage: float) -> None:
        """Source `voltage` (V) until told otherwise; raises `LimitError` beyond 202 V."""
        self.source_voltage = voltage

    def read(self, voltage: float) -> Reading:
        """Step to `voltage` (V), measure once, return to 0 V: one message.

        Returns
        -------
        Reading
            Measured volts and amperes (NaN where the range overflowed), and whether the current was limited.
        """
        within(voltage, VOLTAGE)
        reply = self.parent.call("mho_read", self.id, f"{voltage:.9e}", replies=1)
        return _readings([float(text) for text in reply.split(",")])[0]

    def read_list(self, voltages: Sequence[float]) -> list[Reading]:
        """Do for each of `voltages` (V) what `read` does, in one message to the instrument.

        Parameters
        ----------
        voltages : sequence of float
            Levels, V; at most 2500. The output is at 0 V between them.

        Returns
        -------
        list of Reading
            One a level.
        """
        self._send_list(voltages)
        with self.parent._patience(len(voltages) * (self._aperture + 0.05)):
            reply = self.parent.call("mho_read_list", self.id, replies=1)
        return _readings([float(text) for text in reply.split(",")])

    def sweep(self, voltages: Sequence[float], delay: float = 0.0) -> list[Reading]:
        """Run a list sweep timed by the instrument, ending at 0 V with the output as it was before.

        Parameters
        ----------
        voltages : sequence of float
            Levels, V; at most 2500.
        delay : float
            Wait at each level before its measurement, s.

        Returns
        -------
        list of Reading
            One a level.
        """
        within(delay, Span(0.0, 1e4, "delay", "s"))
        self._send_list(voltages)
        count = len(voltages)
        with self.parent._patience(count * (delay + self._aperture + 0.05)):
            self.parent.call("mho_sweep", self.id, f"{delay:.9e}")
        self.parent.write(f"mho_fetch({self.id}, {count})")
        values = self.parent.query_block(3 * count)
        self.parent.exchange("")
        return _readings(values.tolist())

    def _send_list(self, voltages: Sequence[float]) -> None:
        if not 1 <= len(voltages) <= LIST_SIZE:
            raise InstrumentError(f"{self._title}: a list has 1 to {LIST_SIZE} levels, not {len(voltages)}")
        for voltage in voltages:
            within(voltage, VOLTAGE)
        self.parent.load()
        self.parent.exchange("mho_levels = {}")
        for start in range(0, len(voltages), LISTED_AT_ONCE):
            self.parent.call("mho_append", lua_list(voltages[start : start + LISTED_AT_ONCE]))

    def abort(self) -> None:
        """Stop a running sweep."""
        self.parent.exchange(f"{self.id}.abort()")


class Keithley2636B(TspInstrument):
    """A 2636B: the connection to its two channels, each of which is a `SourceMeter`.

    Parameters
    ----------
    address, visa_library, timeout, **connection
        As for `TspInstrument`.
    voltage_range : float, optional
        Fixed source range of the channels, V. Without it the instrument chooses the range for each level: more
        exact at small voltages, but the output may glitch where the range changes.

    Raises
    ------
    InstrumentError
        When the instrument is not a 2636B.
    """

    model = "2636B"
    script = SCRIPT

    smua: Keithley2636BChannel = Instrument.ChannelCreator(Keithley2636BChannel, "smua")
    smub: Keithley2636BChannel = Instrument.ChannelCreator(Keithley2636BChannel, "smub")
    line_frequency = reading("localnode.linefreq", "Get the power line frequency, Hz.")

    def __init__(
        self,
        address: str | Adapter,
        visa_library: str = "",
        *,
        voltage_range: float | None = None,
        timeout: float = 5.0,
        **connection: Any,
    ) -> None:
        self.voltage_range = voltage_range
        self._users: set[str] = set()
        super().__init__(address, visa_library, timeout=timeout, **connection)

    def channel(self, number: int) -> Keithley2636BChannel:
        """Return channel 1 (smua) or 2 (smub); the connection stays open until the last one is closed.

        Raises
        ------
        InstrumentError
            When the instrument has no channel of that number.
        """
        channel = {1: self.smua, 2: self.smub}.get(number)
        if channel is None:
            raise InstrumentError(f"{self._title} has channels 1 and 2, not {number}")
        self._users.add(channel.id)
        return channel

    def release(self, channel: Keithley2636BChannel) -> None:
        """Take a channel back; called by its `close`."""
        self._users.discard(channel.id)
        if not self._users:
            self.close()

    def settings(self) -> dict[str, str]:
        """Return the settings of both channels, as text by ``channel.name``."""
        return {
            f"{channel.id}.{name}": value
            for channel in (self.smua, self.smub)
            for name, value in channel.settings().items()
        }

    def make_safe(self) -> None:
        """Bring both channels to 0 V and off; raises `InstrumentError` when that cannot be confirmed."""
        try:
            self.smua.make_safe()
        finally:
            self.smub.make_safe()


def _readings(values: list[float]) -> list[Reading]:
    """Read triples of volts, amperes and status."""
    return [
        Reading(volts, amperes if abs(amperes) < OVERFLOW else float("nan"), bool(int(status) & COMPLIANCE))
        for volts, amperes, status in zip(values[0::3], values[1::3], values[2::3], strict=True)
    ]
