"""The simulated Keysight B2201A: a mainframe of 14 inputs that all its cards share, and up to four cards of 12 outputs.

Agilent B2200 User's Guide, edition 2, chapters 4 and 5 (the command set is the E5250A's); channel lists p. 4-5, bias mode
p. 5-33, errors chapter 7. In the normal configuration a channel is card, input, output: ``10102``. In the automatic one
the cards are one, card 0, whose outputs are counted through: ``00114`` is ``20102``. Here a crosspoint has its name of the
normal one. (?) from memory: the settling times; the state after a reset; which number refuses what; that a change of the
configuration opens everything and restores the modes; that nothing closed is answered ``(@)``; and that a query reports
what a stuck relay really does, as this twin's does. Not simulated: the front panel, the self tests, and that ports are
found coupled (none are). Inputs that are grounded while unused (``:AGND:UNUSED``) are kept and mean nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.scpi.instrument import ScpiDevice, ScpiError, Setting
from mho.instruments.simulated.scpi.parameters import Boolean, ChannelList, Choice, Numeric, Text

SLOTS, INPUTS, OUTPUTS = range(1, 5), range(1, 15), range(1, 13)
CLOSE_TIME, OPEN_TIME = 5e-3, 5e-3  # s until a relay has settled
ALL = -1.0
CARDS = Numeric(0, 0, 4, integer=True, names={"ALL": ALL})
CARD = Numeric(0, 0, 4, integer=True)
PORT = Numeric(-1, -1, 14, integer=True)
LIST = ChannelList()
_PORTS = re.compile(r"\s*(\d{1,2}(\s*,\s*\d{1,2})*)?\s*")
SHARED = {"bias": "BIAS", "ground": "AGND"}  # the ports that are connected to outputs not in use


class Crosspoint(NamedTuple):
    """A relay: the slot of its card, its input, and its output on the card."""

    slot: int
    source: int
    output: int

    def __str__(self) -> str:
        return f"{self.slot}{self.source:02}{self.output:02}"


CROSSPOINTS = tuple(
    str(Crosspoint(slot, source, output)) for slot in SLOTS for source in INPUTS for output in OUTPUTS
)


@dataclass
class SharedPort:
    """An input that, while it is `on`, is connected to each enabled output that no other input is connected to.

    `port`: the input; -1 is none.
    `enabled`: slots and outputs.
    """

    port: int
    enabled: set[tuple[int, int]]
    on: bool = False


@dataclass
class Card:
    """A card, or in the automatic configuration all of them: its `outputs` (slot, output) in order, and its modes."""

    outputs: list[tuple[int, int]]
    rule: str = "FREE"
    sequence: str = "BBM"
    couple: bool = False
    couple_ports: tuple[int, ...] = ()
    unused: tuple[int, ...] = ()
    shared: dict[str, SharedPort] = field(init=False)

    def __post_init__(self) -> None:
        """Enable all outputs for the bias, and none for the ground."""
        self.shared = {"bias": SharedPort(10, set(self.outputs)), "ground": SharedPort(12, set())}

    def added(self, closed: set[Crosspoint]) -> Iterator[Crosspoint]:
        """Yield what a shared port that is on connects beside the crosspoints that are `closed`."""
        taken = {(each.slot, each.output) for each in closed}
        for shared in self.shared.values():
            if shared.on and shared.port in INPUTS:
                for slot, output in shared.enabled - taken:
                    yield Crosspoint(slot, shared.port, output)

    def partner(self, it: Crosspoint) -> Crosspoint:
        """Return what moves with a crosspoint: itself, or that of the coupled port; `ScpiError` -221 for none."""
        first = it.source - (it.source % 2 == 0)
        if not self.couple or first not in self.couple_ports:
            return it
        if it.source % 2 != it.output % 2:
            raise ScpiError(-221, "an odd port is coupled with an odd output")
        step = 1 if it.source == first else -1
        return Crosspoint(it.slot, it.source + step, it.output + step)


def _of_card(header: str, parameter: Choice | Boolean, name: str) -> dict[str, Any]:
    """Return command and query of what each card has."""
    return {
        header: (CARDS, parameter, lambda device, card, value: device._set(card, name, value)),
        f"{header}?": (
            CARD,
            lambda device, card: parameter.format(getattr(device._card(card), name), device),
        ),
    }


def _ports_of_card(header: str, name: str) -> dict[str, Any]:
    """Return command and query of a list of ports that each card has."""
    return {
        header: (CARDS, Text(), lambda device, card, text: device._set(card, name, _ports(text))),
        f"{header}?": (
            CARD, lambda device, card: f"'{','.join(map(str, getattr(device._card(card), name)))}'",
        ),
    }  # fmt: skip


def _ports(text: str) -> tuple[int, ...]:
    if not _PORTS.fullmatch(text):
        raise ScpiError(-104)
    ports = tuple(dict.fromkeys(int(each) for each in text.split(",") if each.strip()))
    if not set(ports) <= set(INPUTS):
        raise ScpiError(-222)
    return ports


class SimulatedKeysightB2201A(ScpiDevice):
    """A B2201A on a bench.

    `cards`: how many cards it has, from slot 1 on.
    `on_switch` is called with the crosspoints that are closed: before any relay moves, and after each group has moved.
    Relays in `stuck_closed` and `stuck_open` do not obey; faults to inject.
    """

    identity = "Keysight Technologies,B2201A,0,A.04.00"
    commands = {
        "[:ROUTe]:CLOSe[:LIST]": (LIST, lambda self, channels: self._close(channels)),
        "[:ROUTe]:CLOSe[:LIST]?": (LIST, lambda self, channels: self._states(channels, "01")),
        "[:ROUTe]:CLOSe:CARD?": (CARD, lambda self, card: self._listed(card)),
        "[:ROUTe]:OPEN[:LIST]": (LIST, lambda self, channels: self._open(channels)),
        "[:ROUTe]:OPEN[:LIST]?": (LIST, lambda self, channels: self._states(channels, "10")),
        "[:ROUTe]:OPEN:CARD": (CARDS, lambda self, card: self._open_cards(card)),
        **_of_card("[:ROUTe]:CONNection:RULE", Choice("FREE", ("FREE", "SROUte")), "rule"),
        **_of_card("[:ROUTe]:CONNection:SEQuence", Choice("BBM", ("BBM", "MBBR", "NSEQ")), "sequence"),
        **_of_card("[:ROUTe]:COUPle[:STATe]", Boolean(), "couple"),
        **_ports_of_card("[:ROUTe]:COUPle:PORT", "couple_ports"),
        "[:ROUTe]:COUPle:PORT:DETect": lambda self: None,
        **_ports_of_card("[:ROUTe]:AGND:UNUSED", "unused"),
        "[:ROUTe]:<function>[:STATe]": (
            SHARED, CARDS, Boolean(), lambda self, which, card, on: self._share(which, card, on=on),
        ),
        "[:ROUTe]:<function>[:STATe]?": (
            SHARED, CARD, lambda self, which, card: "01"[self._card(card).shared[which].on],
        ),
        "[:ROUTe]:<function>:PORT": (
            SHARED, CARDS, PORT, lambda self, which, card, port: self._share(which, card, port=int(port)),
        ),
        "[:ROUTe]:<function>:PORT?": (
            SHARED, CARD, lambda self, which, card: str(self._card(card).shared[which].port),
        ),
        **{
            f"[:ROUTe]:<function>:CHANnel:{node}[:LIST]": (
                SHARED, LIST, lambda self, which, channels, change=change: self._enable(which, channels, change),
            )
            for node, change in (("ENABle", set.union), ("DISable", set.difference))
        },
        "[:ROUTe]:<function>:CHANnel:ENABle:CARD": (
            SHARED, CARDS, lambda self, which, card: self._enable_cards(which, card, True),
        ),
        "[:ROUTe]:<function>:CHANnel:DISable:CARD": (
            SHARED, CARDS, lambda self, which, card: self._enable_cards(which, card, False),
        ),
    }  # fmt: skip

    configuration = Setting("[:ROUTe]:FUNCtion", Choice("ACON", ("ACONfig", "NCONfig")))

    def __init__(
        self, clock: VirtualClock, rng: np.random.Generator, *, serial: str = "SIM00000", cards: int = 1,
        on_switch: Callable[[frozenset[str]], None] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(clock, rng, serial=serial)
        self.stuck_closed: set[str] = set()
        self.stuck_open: set[str] = set()
        self._on_switch = on_switch
        self._slots = SLOTS[:cards]
        self._chosen: set[Crosspoint] = set()  # what is closed by name
        self._energised: set[Crosspoint] = set()  # coils that carry current
        self._configure()

    def reset(self) -> None:
        """Open everything, and return to the defaults."""
        self._configure()

    # --- configurations ---

    @configuration.on_change
    def _configuration_changed(self, configuration: str) -> None:
        if (configuration == "ACON") != (0 in self.cards):
            self._configure()

    def _configure(self) -> None:
        each = {slot: [(slot, output) for output in OUTPUTS] for slot in self._slots}
        together = {0: [output for outputs in each.values() for output in outputs]}
        self.cards = {
            number: Card(outputs)
            for number, outputs in (together if self.configuration == "ACON" else each).items()
        }
        self._move(set())

    def _card(self, number: float) -> Card:
        if number not in self.cards:
            raise ScpiError(-222, "no such card in this configuration")
        return self.cards[int(number)]

    def _meant(self, number: float) -> list[Card]:
        return list(self.cards.values()) if number == ALL else [self._card(number)]

    def _place(self, channel: int) -> tuple[Card, Crosspoint]:
        """Return the card and the crosspoint that a channel's five digits name; `ScpiError` -222 for none."""
        number, source, output = channel // 10_000, channel // 100 % 100, channel % 100
        card = self._card(number)
        if source not in INPUTS or not 1 <= output <= len(card.outputs):
            raise ScpiError(-222, "no such channel in this configuration")
        slot, on_card = card.outputs[output - 1]
        return card, Crosspoint(slot, source, on_card)

    # --- relays ---

    @property
    def closed(self) -> frozenset[str]:
        """The crosspoints whose contacts are closed, whatever their coils want."""
        return frozenset(({str(each) for each in self._energised} | self.stuck_closed) - self.stuck_open)

    def _close(self, channels: Iterable[int]) -> None:
        chosen = set(self._chosen)
        for card, it in self._pairs(channels):
            if card.rule == "SROU":
                outputs = set(card.outputs)
                chosen = {
                    each for each in chosen
                    if (each.slot, each.output) not in outputs
                    or (each.source != it.source and (each.slot, each.output) != (it.slot, it.output))
                }  # fmt: skip
            chosen.add(it)
        self._move(chosen)

    def _open(self, channels: Iterable[int]) -> None:
        self._move(self._chosen - {it for _, it in self._pairs(channels)})

    def _pairs(self, channels: Iterable[int]) -> list[tuple[Card, Crosspoint]]:
        """Return the crosspoints to move, with those of coupled ports; a shared port that is on is not moved by name."""
        pairs = []
        for card, it in [self._place(channel) for channel in channels]:
            for each in dict.fromkeys((it, card.partner(it))):
                if any(shared.on and shared.port == each.source for shared in card.shared.values()):
                    raise ScpiError(-221, "the bias or the ground port")
                pairs.append((card, each))
        return pairs

    def _open_cards(self, number: float) -> None:
        opened = {output for card in self._meant(number) for output in card.outputs}
        self._move({each for each in self._chosen if (each.slot, each.output) not in opened})

    def _move(self, chosen: set[Crosspoint]) -> None:
        """Let what is `chosen` be closed, with what shared ports add to it, each card in its own sequence."""
        self._chosen = chosen
        told = False
        for card in self.cards.values():
            outputs = set(card.outputs)
            before = {each for each in self._energised if (each.slot, each.output) in outputs}
            own = {each for each in chosen if (each.slot, each.output) in outputs}
            after = own | set(card.added(own))
            groups = [(before - after, False), (after - before, True)]
            if before == after:
                continue
            if not told:
                told = True
                self._tell()
            for names, on in groups if card.sequence != "MBBR" else reversed(groups):
                self._energise(names, on, waits=on or card.sequence != "NSEQ")

    def _energise(self, names: set[Crosspoint], on: bool, waits: bool) -> None:
        if not names:
            return
        self._energised = self._energised | names if on else self._energised - names
        if waits:
            self.clock.advance(CLOSE_TIME if on else OPEN_TIME)
        self._tell()

    def _tell(self) -> None:
        if self._on_switch is not None:
            self._on_switch(self.closed)

    # --- queries ---

    def _states(self, channels: Iterable[int], states: str) -> str:
        places = [str(self._place(channel)[1]) for channel in channels]
        return ",".join(states[place in self.closed] for place in places)

    def _listed(self, number: float) -> str:
        """Return the closed channels of a card."""
        card, closed = self._card(number), self.closed
        channels = [
            f"{int(number)}{source:02}{output:02}"
            for source in INPUTS
            for output, (slot, on_card) in enumerate(card.outputs, 1)
            if str(Crosspoint(slot, source, on_card)) in closed
        ]
        return f"(@{','.join(channels)})"

    # --- modes ---

    def _set(self, number: float, name: str, value: object) -> None:
        for card in self._meant(number):
            setattr(card, name, value)

    def _share(self, which: str, number: float, *, on: bool | None = None, port: int | None = None) -> None:
        cards = self._meant(number)
        other = "ground" if which == "bias" else "bias"
        if on and any(card.shared[other].on for card in cards):
            raise ScpiError(-221, "bias and ground mode exclude each other")
        for card in cards:
            shared = card.shared[which]
            shared.on = shared.on if on is None else on
            shared.port = shared.port if port is None else port
        self._move(self._chosen)

    def _enable(
        self, which: str, channels: Iterable[int], change: Callable[[set[Any], set[Any]], set[Any]]
    ) -> None:
        for card, it in [self._place(channel) for channel in channels]:
            shared = card.shared[which]
            shared.enabled = change(shared.enabled, {(it.slot, it.output)})
        self._move(self._chosen)

    def _enable_cards(self, which: str, number: float, enabled: bool) -> None:
        for card in self._meant(number):
            card.shared[which].enabled = set(card.outputs) if enabled else set()
        self._move(self._chosen)
