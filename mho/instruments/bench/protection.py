"""The instruments' own protection, set from the bench's limits: a second barrier that also holds for other programs."""

from __future__ import annotations

from mho.instruments.bench.instruments import BenchInstruments
from mho.instruments.bench_file.bench_file import BenchFile
from mho.instruments.bench_file.entries import ChuckEntry
from mho.instruments.limits import Limits
from mho.instruments.roles import TemperatureController

OVERSHOOT = 10.0  # K that a loop may pass its target by before the controller switches its heaters off


def protect(instruments: BenchInstruments, file: BenchFile, limits: Limits) -> None:
    """Set the limits of the terminals in the source-measure units and the pulse generator, as far as these support it.

    This changes no output. Each instrument confirms it: the units now, a generator when it is next configured. The
    outputs of a DAQ are limited when it is opened. An instrument without the method `protect` has no such protection.

    Raises
    ------
    InstrumentError
        When an instrument refuses or does not confirm.
    """
    entries = file.instruments
    for meter, entry in ((instruments.smu, entries.smu), (instruments.gate, entries.gate)):
        keep = getattr(meter, "protect", None)
        if keep is not None:
            keep(limits.highest(entry.terminal))
    keep = getattr(instruments.pulser, "protect", None)
    if keep is not None:
        for channel, terminal in entries.pulser.channels.items():
            keep(channel, limits.highest(terminal))


def protect_chuck(chuck: TemperatureController, entry: ChuckEntry) -> None:
    """Let a temperature controller switch its heaters off by itself `OVERSHOOT` above the bench's highest temperature.

    A controller without the method `protect` has no such protection. Raises `InstrumentError` as `protect`.
    """
    keep = getattr(chuck, "protect", None)
    if keep is not None:
        keep(entry.highest + OVERSHOOT)
