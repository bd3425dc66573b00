"""The instruments' own protection, set from the bench's limits: a second fence that holds for whoever drives them, too."""

from __future__ import annotations

from mho.instruments.bench.instruments import BenchInstruments
from mho.instruments.bench_file.bench_file import BenchFile
from mho.instruments.limits import Limits


def protect(instruments: BenchInstruments, file: BenchFile, limits: Limits) -> None:
    """Let source-measure units and pulse generator keep what their terminals may see, as far as they can by themselves.

    It is a setting and changes no output. Each confirms it: the units now, a generator when it is next configured. The
    outputs of a DAQ get theirs when it is opened. An instrument without the method `protect` has no such thing.

    Raises
    ------
    InstrumentError
        When one refuses, or does not confirm.
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
