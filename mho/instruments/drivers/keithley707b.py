"""Keithley 707B switching matrix with 7174A cards, by TSP: connects sources to ports.

Models 707B and 708B Reference Manual 707B-901-01; pages where given. Hot switching welds reed relays (p. 2-87):
the caller takes the sources to 0 V first. The closed crosspoints are read back after every change.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from mho.errors import InstrumentError
from mho.instruments.drivers.languages.crosspoints import check_moved
from mho.instruments.drivers.languages.tsp import TspInstrument, choice

_CROSSPOINT = re.compile(r"([1-6])([A-H])(0[1-9]|1[0-2])")
SETTLING = 0.05  # s, generous settling time of a relay


class Keithley707B(TspInstrument):
    """A 707B as `mho.instruments.roles.SwitchMatrix`; constructed as `TspInstrument`.

    A crosspoint is named by slot, row and column: ``1A03`` is slot 1, row A, column 3.
    """

    model = "707B"
    recorded = ("connect_rule",)

    connect_rule = choice(
        "channel.connectrule", "Control in which order relays move: none, or which is first (p. 7-19).",
        ("OFF", "BREAK_BEFORE_MAKE", "MAKE_BEFORE_BREAK"),
    )  # fmt: skip

    def close_paths(self, paths: Sequence[str]) -> None:
        """Close crosspoints in addition to those already closed; the sources are at 0 V.

        Raises `InstrumentError` for a crosspoint that does not exist (no relay moves then), and for a relay that does not
        respond.
        """
        names = self._known(paths)
        if names:
            expected = {*self.closed(), *names}
            self._change(f'channel.close("{",".join(names)}")', expected, len(names))

    def open_paths(self, paths: Sequence[str]) -> None:
        """Open crosspoints and leave the others as they are; the sources are at 0 V. Raises as `close_paths`."""
        names = self._known(paths)
        if names:
            expected = {*self.closed()}.difference(names)
            self._change(f'channel.open("{",".join(names)}")', expected, 0)

    def connect_only(self, paths: Sequence[str]) -> None:
        """Open every other crosspoint, then close `paths`. Raises as `close_paths`."""
        names = self._known(paths)
        self._change(f'channel.exclusiveclose("{",".join(names)}")', set(names), len(names))

    def open_all(self) -> None:
        """Open every crosspoint; raises `InstrumentError` when a relay stays closed."""
        self._change('channel.open("allslots")', set(), 0)

    def closed(self) -> tuple[str, ...]:
        """Return the crosspoints that are closed, as the instrument reports them."""
        reply = self.ask('print(channel.getclose("allslots"))').strip()
        names = tuple(re.split("[;,]", reply)) if reply != "nil" else ()
        if not all(_CROSSPOINT.fullmatch(name) for name in names):
            raise InstrumentError(f"{self._title} answered {reply!r} to {self._last!r}: not understood")
        return names

    def make_safe(self) -> None:
        """Open every crosspoint; raises `InstrumentError` when that cannot be confirmed."""
        self.interrupt()
        self._drop_errors()
        self.open_all()

    def _known(self, paths: Iterable[str]) -> list[str]:
        names = list(dict.fromkeys(path.upper() for path in paths))
        for name in names:
            if not _CROSSPOINT.fullmatch(name):
                raise InstrumentError(
                    f"{self._title} has no crosspoint {name!r}; slots are 1 to 6, rows A to H, columns 01 to 12, "
                    "as in '1A03'"
                )
        return names

    def _change(self, command: str, expected: set[str], moving: int) -> None:
        """Move relays, and compare the closed crosspoints with the expected ones."""
        with self._patience(SETTLING * (1 + moving)):
            self.exchange(f"channel.connectrule = channel.BREAK_BEFORE_MAKE {command}")
        check_moved(self._title, command, self.closed(), expected)
