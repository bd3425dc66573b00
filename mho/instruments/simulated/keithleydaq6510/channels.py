"""Settings of the simulated DAQ6510 per channel: function, range, integration time.

DAQ6510 Reference Manual, DAQ6510-901-01; accuracies from the data sheet (?). A 7700 is in slot 1: channels 101
to 120 take volts and ohms, 121 and 122 amperes. Without a channel list a setting is the front terminals'.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mho.instruments.simulated.analogue.accuracy import SpecimenConverter
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.keithley2450.buffers import ReadingBuffers
from mho.instruments.simulated.scpi.instrument import ScpiError, command, query
from mho.instruments.simulated.scpi.parameters import Boolean, ChannelList, Choice, Numeric

FRONT = 0
VOLT_CHANNELS, CURRENT_CHANNELS = tuple(range(101, 121)), (121, 122)
CHANNELS = (*VOLT_CHANNELS, *CURRENT_CHANNELS)
LISTED = ChannelList(required=False)

# range: (gain error, offset error in the range's unit), one year
SPECIFICATIONS = {
    "VOLT": {0.1: (3e-5, 3.5e-6), 1.0: (2.5e-5, 6e-6), 10.0: (2.5e-5, 5e-5), 100.0: (3.5e-5, 6e-4),
             1000.0: (3.5e-5, 6e-3)},
    "CURR": {1e-5: (5e-4, 2.5e-9), 1e-4: (5e-4, 2.5e-8), 1e-3: (5e-4, 5e-8), 1e-2: (5e-4, 2e-6),
             1e-1: (5e-4, 5e-6), 1.0: (8e-4, 1e-4), 3.0: (1.2e-3, 1.2e-4)},
    "RES": {10.0: (1e-4, 6e-4), 100.0: (1e-4, 3e-3), 1e3: (7.5e-5, 6e-3), 1e4: (7.5e-5, 6e-2),
            1e5: (7.5e-5, 0.6), 1e6: (8.5e-5, 6.0), 1e7: (4e-4, 100.0), 1e8: (2e-3, 1e4)},
}  # fmt: skip
_TOP = {"VOLT": 1000.0, "CURR": 3.0, "RES": 1e8}
_UNITS = {"VOLT": "V", "CURR": "A", "RES": "OHM"}
UNIT_NAMES = {"VOLT": "Volt DC", "CURR": "Amp DC", "RES": "Ohm"}


@dataclass
class ChannelSettings:
    """Settings of one channel, or of the front terminals; ranges and times by function."""

    function: str = "VOLT"
    ranges: dict[str, float] = field(default_factory=lambda: dict(_TOP))
    auto: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(_TOP, True))
    nplc: dict[str, float] = field(default_factory=lambda: dict.fromkeys(_TOP, 1.0))


class ChannelConfiguration(ReadingBuffers):
    """The part of the instrument that keeps the settings of its channels."""

    def __init__(
        self, clock: VirtualClock, rng: np.random.Generator, *, serial: str, accuracy: float, noise: float
    ) -> None:
        super().__init__(clock, rng, serial=serial)
        self._meters = {
            name: SpecimenConverter(rng, ranges, accuracy, noise=noise, overrange=1.2)
            for name, ranges in SPECIFICATIONS.items()
        }
        self._forget()

    def _forget(self) -> None:
        """Restore the defaults."""
        self._channels = {channel: ChannelSettings() for channel in (FRONT, *CHANNELS)}
        for channel in CURRENT_CHANNELS:
            self._channels[channel].function = "CURR"

    def _checked(self, channels: tuple[int, ...]) -> tuple[int, ...]:
        """Refuse channels that are not there."""
        for channel in channels:
            if channel not in CHANNELS:
                raise ScpiError(-222, f"channel {channel}")
        return channels

    def _meant(self, channels: tuple[int, ...]) -> list[ChannelSettings]:
        """Return the settings of channels, or of the front terminals."""
        return [self._channels[channel] for channel in self._checked(channels) or (FRONT,)]

    @command(
        "[:SENSe[1]]:FUNCtion[:ON]",
        Choice("VOLT:DC", ("VOLTage[:DC]", "CURRent[:DC]", "RESistance"), quoted=True),
        LISTED,
    )
    def _set_function(self, function: str, channels: tuple[int, ...]) -> None:
        name = function.removesuffix(":DC")
        meant = self._meant(channels)
        if any((name == "CURR") != (channel in CURRENT_CHANNELS) for channel in channels):
            raise ScpiError(-221, "this channel has no such function")
        for settings in meant:
            settings.function = name

    @query("[:SENSe[1]]:FUNCtion[:ON]", LISTED)
    def _query_function(self, channels: tuple[int, ...]) -> str:
        names = (settings.function for settings in self._meant(channels))
        return ";".join(f'"{name}"' if name == "RES" else f'"{name}:DC"' for name in names)

    def _set_range(self, function: str, value: float, channels: tuple[int, ...]) -> None:
        span = next(span for span in SPECIFICATIONS[function] if value <= span)
        for settings in self._meant(channels):
            settings.ranges[function] = span
            settings.auto[function] = False


def _handlers(name: str, node: str) -> dict[str, Callable[..., Any]]:
    """Return the handlers of one function's settings, by attribute name."""
    prefix = f"[:SENSe[1]]:{node}"
    smallest = min(SPECIFICATIONS[name])

    @command(f"{prefix}:RANGe[:UPPer]", Numeric(_TOP[name], smallest, _TOP[name], unit=_UNITS[name]), LISTED)
    def set_range(device: ChannelConfiguration, value: float, channels: tuple[int, ...]) -> None:
        device._set_range(name, value, channels)

    @query(f"{prefix}:RANGe[:UPPer]", LISTED)
    def query_range(device: ChannelConfiguration, channels: tuple[int, ...]) -> str:
        return ";".join(device.real(settings.ranges[name]) for settings in device._meant(channels))

    @command(f"{prefix}:RANGe:AUTO", Boolean(True), LISTED)
    def set_auto(device: ChannelConfiguration, on: bool, channels: tuple[int, ...]) -> None:
        for settings in device._meant(channels):
            settings.auto[name] = on

    @query(f"{prefix}:RANGe:AUTO", LISTED)
    def query_auto(device: ChannelConfiguration, channels: tuple[int, ...]) -> str:
        return ";".join("1" if settings.auto[name] else "0" for settings in device._meant(channels))

    @command(f"{prefix}:NPLCycles", Numeric(1.0, 5e-4, 12.0), LISTED)
    def set_nplc(device: ChannelConfiguration, value: float, channels: tuple[int, ...]) -> None:
        for settings in device._meant(channels):
            settings.nplc[name] = value

    @query(f"{prefix}:NPLCycles", LISTED)
    def query_nplc(device: ChannelConfiguration, channels: tuple[int, ...]) -> str:
        return ";".join(device.real(settings.nplc[name]) for settings in device._meant(channels))

    made = (set_range, query_range, set_auto, query_auto, set_nplc, query_nplc)
    return {f"_{handler.__name__}_{name}": handler for handler in made}


# An instrument's language is compiled with its own class: what is added here is in its vocabulary.
for _name, _node in (("VOLT", "VOLTage[:DC]"), ("CURR", "CURRent[:DC]"), ("RES", "RESistance")):
    for _attribute, _handler in _handlers(_name, _node).items():
        setattr(ChannelConfiguration, _attribute, _handler)
