"""Sources at further terminals of the chip, as its body: each holds one voltage while the bench is in use."""

from __future__ import annotations

from mho.instruments.bench.instruments import BenchInstruments
from mho.instruments.bench.output_states import OutputStates
from mho.instruments.bench_file.bench_file import BenchFile
from mho.instruments.limits import Limits


class HeldContacts:
    """The sources at further terminals, with their voltages, limits and known states."""

    def __init__(
        self, instruments: BenchInstruments, file: BenchFile, limits: Limits, states: OutputStates
    ) -> None:
        self._contacts, self._file, self._limits, self._states = instruments.contacts, file, limits, states

    def hold(self) -> None:
        """Switch each on and take it to its voltage, before any line of the chip is driven.

        `LimitError` for a voltage or a current limit beyond those of the terminal.
        """
        for line, source in self._contacts.items():
            entry, limit = self._file.instruments.contacts[line], self._file.contact_current(line)
            volts = entry.hold or 0.0
            self._limits.check_level(line, volts)
            self._limits.check_current(line, limit)
            self._states.forget(line)
            settings = {"current_limit": limit}
            if entry.kind == "source meter":
                settings |= {"current_range": limit, "nplc": self._file.read.nplc}
            source.configure(**settings)
            source.enable()
            source.hold(volts)
            self._states.note(line, f"ON, {volts:g} V")
