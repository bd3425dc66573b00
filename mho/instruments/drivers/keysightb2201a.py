"""Keysight B2201A low-leakage switching mainframe, of the E5250A's command set: connects sources to ports.

Agilent B2200 User's Guide, edition 2, chapter 5; channel lists p. 4-5. Hot switching shortens a relay's life: the caller
takes the sources to 0 V first. The closed crosspoints are read back after every change. (?) marks facts to be checked on
hardware: that the mainframe reports its relays and not its intentions, that a query waits until they have settled, that
nothing closed is answered ``(@)``, and that an error's text stands in quotation marks.

The mainframe is used in its normal configuration, in which a channel names its card. Its modes that connect ports by
themselves (bias, ground, couple) are switched off: nothing is closed that was not asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from pymeasure.adapters import Adapter

from mho.errors import InstrumentError
from mho.instruments.drivers.languages.crosspoints import check_moved
from mho.instruments.drivers.languages.scpi import ScpiInstrument, Span, choice, whole

CARDS = Span(1, 4, "number of cards")
SETTLING = 0.05  # s, generous settling time of a relay
INPUTS, OUTPUTS = 14, 12  # of the mainframe, and of each card
_CROSSPOINT = re.compile(r"([1-4])(0[1-9]|1[0-4])(0[1-9]|1[0-2])")
_LIST = re.compile(r"\(@\s*((?:\d{3,5})(?:\s*,\s*\d{3,5})*)?\s*\)")
ALONE = ":ROUT:BIAS ALL,OFF;:ROUT:AGND ALL,OFF;:ROUT:COUP ALL,OFF"  # nothing is connected that was not named
ORDERED = ":ROUT:CONN:RULE ALL,FREE;:ROUT:CONN:SEQ ALL,BBM"


class KeysightB2201A(ScpiInstrument):
    """A B2201A as `mho.instruments.roles.SwitchMatrix`.

    `address`, `visa_library`, `timeout`, `connection`: as for `BusInstrument`.
    `cards`: how many cards it has, from slot 1 on.

    A crosspoint is named as the mainframe writes it, by card, input and output: ``10102`` is card 1, input 1, output 2.
    """

    model = "B2201A"
    recorded = ("configuration",)

    configuration = choice(
        ":ROUT:FUNC", "Control whether cards are one (ACON) or each is its own (NCON); a change opens all (?).",
        ("ACON", "NCON"),
    )  # fmt: skip

    def __init__(
        self, address: str | Adapter, visa_library: str = "", *, cards: int = 1, timeout: float = 5.0,
        **connection: Any,
    ) -> None:  # fmt: skip
        self.cards = range(1, int(whole(cards, CARDS)) + 1)
        self._query = ";".join(f":ROUT:CLOS:CARD? {card}" for card in self.cards)
        super().__init__(address, visa_library, timeout=timeout, **connection)

    def close_paths(self, paths: Sequence[str]) -> None:
        """Close crosspoints in addition to those already closed; the sources are at 0 V.

        Raises `InstrumentError` for a crosspoint that does not exist (no relay moves then), and for a relay that does not
        respond.
        """
        names = self._known(paths)
        if names:
            expected = {*self._prepare(), *names}
            self._change(f":ROUT:CLOS (@{','.join(names)})", expected, len(names))

    def open_paths(self, paths: Sequence[str]) -> None:
        """Open crosspoints and leave the others as they are; the sources are at 0 V. Raises as `close_paths`."""
        names = self._known(paths)
        if names:
            expected = set(self._prepare()).difference(names)
            self._change(f":ROUT:OPEN (@{','.join(names)})", expected, len(names))

    def open_all(self) -> None:
        """Open every crosspoint; raises `InstrumentError` when a relay stays closed."""
        self._prepare()
        self._change(":ROUT:OPEN:CARD ALL", (), 1)

    def closed(self) -> tuple[str, ...]:
        """Return the crosspoints that are closed, as the instrument reports them, named as in its normal configuration."""
        automatic = self.configuration == "ACON"
        return self._reported(self.exchange(":ROUT:CLOS:CARD? 0" if automatic else self._query))

    def make_safe(self) -> None:
        """Open every crosspoint; raises `InstrumentError` when that cannot be confirmed."""
        self.interrupt()
        self._drop_errors()
        self.open_all()

    def _known(self, paths: Iterable[str]) -> list[str]:
        names = list(dict.fromkeys(paths))
        for name in names:
            match = _CROSSPOINT.fullmatch(name)
            if match is None or int(match[1]) not in self.cards:
                raise InstrumentError(
                    f"{self._title} has no crosspoint {name!r}; cards are 1 to {len(self.cards)}, inputs 01 to {INPUTS}, "
                    f"outputs 01 to {OUTPUTS}, as in '10102'"
                )
        return names

    def _prepare(self) -> tuple[str, ...]:
        """Bring the mainframe into the normal configuration, with its modes off; return what is closed then."""
        if self.configuration != "NCON":
            self.exchange(f"{ALONE};:ROUT:OPEN:CARD ALL")
            self.configuration = "NCON"
        with self._patience(SETTLING):
            return self._reported(self.exchange(f"{ALONE};{ORDERED};{self._query}"))

    def _change(self, command: str, expected: Iterable[str], moving: int) -> None:
        """Move relays, and compare the closed crosspoints with the expected ones."""
        with self._patience(SETTLING * (1 + moving)):
            closed = self._reported(self.exchange(f"{command};{self._query}"))
        check_moved(self._title, command, closed, expected)

    def _reported(self, reply: str) -> tuple[str, ...]:
        """Return the crosspoints in the lists that each card was answered with."""
        lists = [_LIST.fullmatch(part.strip()) for part in reply.split(";")]
        names = [
            _named(int(channel)) for each in lists if each for channel in re.findall(r"\d+", each[1] or "")
        ]
        if not all(lists) or not all(map(_CROSSPOINT.fullmatch, names)):
            raise InstrumentError(f"{self._title} answered {reply!r} to {self._last!r}: not understood")
        return tuple(names)


def _named(channel: int) -> str:
    """Return a channel's name in the normal configuration; in the automatic one outputs are counted through the cards."""
    card, source, output = channel // 10_000, channel // 100 % 100, channel % 100
    if card == 0 and output:
        card, output = 1 + (output - 1) // OUTPUTS, 1 + (output - 1) % OUTPUTS
    return f"{card}{source:02}{output:02}"
