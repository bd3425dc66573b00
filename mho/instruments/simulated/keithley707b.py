"""The simulated Keithley 707B: six 7174A cards, each a matrix of 8 rows by 12 columns of reed relays.

Models 707B and 708B Reference Manual 707B-901-01, sections 2 and 7. (?) from memory: the error numbers and
texts, the settling times, and that `getclose` reports what a stuck relay really does, as this twin's does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial

import numpy as np

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.tsp.instrument import TspDevice
from mho.instruments.simulated.tsp.tables import Attribute, ScriptTable, TspError, choice, real

SLOTS, ROWS, COLUMNS = range(1, 7), "ABCDEFGH", range(1, 13)
CROSSPOINTS = tuple(f"{slot}{row}{column:02}" for slot in SLOTS for row in ROWS for column in COLUMNS)
CLOSE_TIME, OPEN_TIME = 1e-3, 1e-3  # s until a 7174A relay has settled (?)
OFF, BREAK_BEFORE_MAKE, MAKE_BEFORE_BREAK = 0, 1, 2
SYNTAX, NO_CHANNEL, NO_PATTERN, NOT_ALLOWED, FORBIDDEN = 1114, 1115, 1116, 1117, 1118
_TEXTS = {
    SYNTAX: "Syntax error in channel list", NO_CHANNEL: "Invalid channel specified",
    NO_PATTERN: "Invalid channel pattern name", NOT_ALLOWED: "slotX and allslots are not allowed here",
    FORBIDDEN: "Channel is forbidden to be closed",
}  # fmt: skip
_ORDER = {name: index for index, name in enumerate(CROSSPOINTS)}
_NAME = re.compile(r"[A-Za-z_]\w*")
_SLOT = re.compile(r"slot([1-6])", re.IGNORECASE)
_LONGEST_LIST = 10_000  # characters (?)


class SimulatedKeithley707B(TspDevice):
    """A 707B on a bench; constructed as `TspDevice`.

    `on_switch` is called with the crosspoints that are closed: before any relay moves, and after each group has moved.
    Relays in `stuck_closed` and `stuck_open` do not obey; faults to inject.
    """

    model = "707B"
    firmware = "1.22a"

    def __init__(
        self, clock: VirtualClock, rng: np.random.Generator, *, serial: str = "SIM00000",
        on_switch: Callable[[frozenset[str]], None] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(clock, rng, serial=serial)
        self.stuck_closed: set[str] = set()
        self.stuck_open: set[str] = set()
        self._on_switch = on_switch
        self._energised: set[str] = set()  # coils that carry current
        self._closures = dict.fromkeys(CROSSPOINTS, 0)
        self._delays = dict.fromkeys(CROSSPOINTS, 0.0)
        self._patterns: dict[str, tuple[str, ...]] = {}
        self._forbidden: set[str] = set()
        patterns = ScriptTable(
            contents={
                "setimage": self._set_pattern,
                "snapshot": lambda pattern: self._patterns.update(
                    {_pattern_name(pattern): tuple(sorted(self.closed, key=_ORDER.__getitem__))}
                ),
                "getimage": lambda pattern: ",".join(self._known_pattern(pattern)),
                "delete": self._delete_pattern,
                "catalog": lambda: ",".join(sorted(self._patterns)) or None,
            }
        )  # fmt: skip
        self.channels = ScriptTable(
            {
                "connectrule": Attribute(BREAK_BEFORE_MAKE, choice(0, 1, 2)),
                "connectsequential": Attribute(OFF, choice(0, 1)),
            },
            contents={
                "OFF": OFF, "ON": 1, "BREAK_BEFORE_MAKE": BREAK_BEFORE_MAKE, "MAKE_BEFORE_BREAK": MAKE_BEFORE_BREAK,
                "close": lambda names: self._move(opening=(), closing=self._closable(names)),
                "open": lambda names: self._move(opening=self._every(names), closing=()),
                "exclusiveclose": self._close_only, "exclusiveslotclose": self._close_only_in_slots,
                "getclose": lambda names: self._written(self.closed, names),
                "getstate": lambda names: ",".join("01"[name in self.closed] for name in self._every(names)),
                "getcount": lambda names: ",".join(str(self._closures[name]) for name in self._every(names)),
                "getdelay": lambda names: ",".join(f"{self._delays[name]:.5e}" for name in self._every(names)),
                "setdelay": self._set_delay,
                "setforbidden": lambda names: self._forbidden.update(self._every(names)),
                "clearforbidden": lambda names: self._forbidden.difference_update(self._every(names)),
                "getforbidden": lambda names: self._written(self._forbidden, names),
                "reset": self._reset_channels, "pattern": patterns,
            },
        )  # fmt: skip
        self.tables["channel"] = self.channels
        self.tables["slot"] = [_slot(number, serial) for number in SLOTS]

    def error_texts(self) -> dict[int, str]:
        """Return the texts as the 707B words them (?)."""
        return {**super().error_texts(), **_TEXTS}

    def reset(self) -> None:
        """Open every crosspoint, and return to the defaults."""
        super().reset()
        self.channels.restore()
        self._patterns.clear()
        self._forbidden.clear()
        self._delays = dict.fromkeys(CROSSPOINTS, 0.0)
        self._move(opening=self._energised, closing=())

    # --- relays ---

    @property
    def closed(self) -> frozenset[str]:
        """The crosspoints whose contacts are closed, whatever their coils want."""
        return frozenset((self._energised | self.stuck_closed) - self.stuck_open)

    def closures(self, crosspoint: str) -> int:
        """Number of closures of a relay."""
        return self._closures[crosspoint]

    def _move(self, opening: Iterable[str], closing: Iterable[str]) -> None:
        """Open and close relays in the order of the connection rule, and let them settle."""
        opening = set(opening) & self._energised
        closing = set(closing) - self._energised
        if not opening and not closing:
            return
        rule, sequential = self.channels["connectrule"], bool(self.channels["connectsequential"])
        self._tell()
        release = partial(self._energise, opening, False, sequential)
        pull = partial(self._energise, closing, True, sequential)
        if rule == OFF:
            self._energised -= opening
            start = self.clock.now
            pull()
            self.clock.advance(max(0.0, OPEN_TIME - (self.clock.now - start)))
        else:
            for act in (release, pull) if rule == BREAK_BEFORE_MAKE else (pull, release):
                act()

    def _energise(self, names: set[str], on: bool, sequential: bool) -> None:
        if not names:
            return
        settle = CLOSE_TIME if on else OPEN_TIME
        for name in names if on else ():
            self._closures[name] += 1
        self._energised = self._energised | names if on else self._energised - names
        waits = sum if sequential else max
        extra = waits(self._delays[name] for name in names) if on else 0.0
        self.clock.advance(settle * (len(names) if sequential else 1) + extra)
        self._tell()

    def _tell(self) -> None:
        if self._on_switch is not None:
            self._on_switch(self.closed)

    # --- channel lists ---

    def _names(self, written: object, *, slots: bool = False) -> list[str]:
        """Read a channel list; raises `TspError` when something in it does not exist."""
        if not isinstance(written, str):
            raise TspError(-104)
        if len(written) > _LONGEST_LIST:
            raise TspError(SYNTAX)
        names: list[str] = []
        for item in re.split("[,;]", written):
            names.extend(self._item(item.strip(), slots))
        return list(dict.fromkeys(names))

    def _every(self, written: object) -> list[str]:
        return self._names(written, slots=True)

    def _item(self, item: str, slots: bool) -> tuple[str, ...]:
        if item.lower() == "allslots" or _SLOT.fullmatch(item):
            if not slots:
                raise TspError(NOT_ALLOWED)
            slot = _SLOT.fullmatch(item)
            return tuple(name for name in CROSSPOINTS if slot is None or name[0] == slot[1])
        if item in self._patterns:
            return self._patterns[item]
        first, colon, last = (part.strip() for part in item.partition(":"))
        if not colon:
            return (self._crosspoint(first),)
        start, end = _ORDER[self._crosspoint(first)], _ORDER[self._crosspoint(last)]
        if end < start or first[0] != last[0]:
            raise TspError(SYNTAX)
        return CROSSPOINTS[start : end + 1]

    @staticmethod
    def _crosspoint(name: str) -> str:
        if not name:
            raise TspError(SYNTAX)
        if name.upper() not in _ORDER:
            raise TspError(NO_PATTERN if _NAME.fullmatch(name) else NO_CHANNEL)
        return name.upper()

    def _written(self, names: Iterable[str], among: object) -> str | None:
        channels = set(self._every(among))
        return ";".join(sorted(channels.intersection(names), key=_ORDER.__getitem__)) or None

    def _closable(self, written: object) -> list[str]:
        names = self._names(written)
        if self._forbidden.intersection(names):
            raise TspError(FORBIDDEN)
        return names

    # --- channel functions ---

    def _close_only(self, names: object) -> None:
        channels = [] if isinstance(names, str) and not names.strip() else self._closable(names)
        self._move(opening=self._energised.difference(channels), closing=channels)

    def _close_only_in_slots(self, names: object) -> None:
        channels = self._closable(names)
        slots = {name[0] for name in channels}
        others = {name for name in self._energised if name[0] in slots}
        self._move(opening=others.difference(channels), closing=channels)

    def _set_delay(self, names: object, seconds: object) -> None:
        delay: float = real(0.0, 60.0)(seconds)
        self._delays |= dict.fromkeys(self._every(names), delay)

    def _reset_channels(self, names: object) -> None:
        channels = self._every(names)
        self._forbidden.difference_update(channels)
        self._delays |= dict.fromkeys(channels, 0.0)
        self._move(opening=channels, closing=())

    # --- patterns ---

    def _set_pattern(self, names: object, pattern: object) -> None:
        self._patterns[_pattern_name(pattern)] = tuple(self._names(names))

    def _delete_pattern(self, pattern: object) -> None:
        self._known_pattern(pattern)
        del self._patterns[str(pattern)]

    def _known_pattern(self, pattern: object) -> tuple[str, ...]:
        if not isinstance(pattern, str) or pattern not in self._patterns:
            raise TspError(NO_PATTERN)
        return self._patterns[pattern]


def _pattern_name(pattern: object) -> str:
    if not isinstance(pattern, str) or not _NAME.fullmatch(pattern) or len(pattern) > 19:
        raise TspError(NO_PATTERN)
    return pattern


def _slot(number: int, serial: str) -> ScriptTable:
    return ScriptTable(
        contents={
            "idn": f"7174A,8x12 Low Current Matrix,01.00a,{serial}-{number}",
            "rows": ScriptTable(contents={"matrix": len(ROWS)}),
            "columns": ScriptTable(contents={"matrix": len(COLUMNS)}),
        }
    )
