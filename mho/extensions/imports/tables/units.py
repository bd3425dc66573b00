"""Units, dates and times of day as tables have them (Volts, kOhm, °C, Amp DC), and voltages of reads that no column has.

These are stated in the name of a column, ``I @ 0.2 V (uA)``, or above the table. A date may stand in a column of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from mho.extensions.imports.tables.numbers import NUMBER, plain_number
from mho.runs import BASE_UNITS, factor_between, ratio_between

_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,:](\d{1,9}))?)?\s*([AaPp][Mm])?")
_SLASHES = re.compile(r"(\d{1,2})[/-](\d{1,2})[/-](\d{4})")
_POINTS = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")
_YEAR_FIRST = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})")
_NAMED = re.compile(r"(\d{1,2})[- ]([A-Za-z]{3})[a-z]*[- ](\d{4})")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


@dataclass(frozen=True)
class Clock:
    """How a column of times is read."""

    # The column that has the dates, from 0; None where they stand beside the times, or nowhere
    date: int | None = None
    day_first: bool = False  # whether 01/02/2026 is the first of February

    def seconds(self, text: str) -> float | None:
        """Return the seconds since 1970 of a date and time, in UTC unless it says more; since midnight of a time alone.

        None is returned for what is neither.
        """
        text = text.strip()
        try:
            moment = datetime.fromisoformat(text)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except ValueError:
            pass
        alone = time_of_day(text)
        if alone is not None:
            return alone
        day, _, rest = text.replace("T", " ", 1).partition(" ")
        if _NAMED.match(text):
            day, rest = text[: _NAMED.match(text).end()], text[_NAMED.match(text).end() :]  # type: ignore[union-attr]
        calendar_day, time = day_of(day, self.day_first), time_of_day(rest.strip())
        if calendar_day is None or time is None:
            return None
        return (
            datetime(calendar_day.year, calendar_day.month, calendar_day.day, tzinfo=UTC).timestamp() + time
        )


def time_of_day(text: str) -> float | None:
    """Return the seconds since midnight of ``14:05``, ``14:05:01.25`` or ``2:05 PM``; None for no such text."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    hour, minute, second, fraction, half = match.groups()
    hours = int(hour) % 12 + 12 * (half.lower() == "pm") if half else int(hour)
    if hours > 23 or int(minute) > 59 or int(second or 0) > 60:
        return None
    return 3600.0 * hours + 60.0 * int(minute) + int(second or 0) + float(f"0.{fraction or 0}")


def day_of(text: str, day_first: bool = False) -> date | None:
    """Return the day of 2026-01-31, 31.01.2026, 31-Jan-2026, and 01/31/2026 or 31/01/2026; None for no such text."""
    try:
        if match := _YEAR_FIRST.fullmatch(text):
            return date(*map(int, match.groups()))
        if match := _POINTS.fullmatch(text):
            day, month, year = map(int, match.groups())
            return date(year, month, day)
        if match := _SLASHES.fullmatch(text):
            first, second, year = map(int, match.groups())
            return date(year, second, first) if day_first else date(year, first, second)
        if match := _NAMED.fullmatch(text):
            return date(int(match[3]), 1 + _MONTHS.index(match[2].lower()), int(match[1]))
    except ValueError:
        pass
    return None


def is_day_first(texts: Iterable[str]) -> bool | None:
    """Return whether dates with slashes begin with the day; None where several differ, and no number is above 12."""
    matches = [one for one in (_SLASHES.match(text.strip()) for text in texts) if one is not None]
    if any(int(one[1]) > 12 for one in matches):
        return True
    clear = any(int(one[2]) > 12 for one in matches) or len({one[0] for one in matches}) < 2
    return False if clear else None


_NUMBER = f"(?P<number>{NUMBER})"
MOST_VOLTS = 200.0
LONGEST_LINE = 2000  # characters of a line above a table that are looked at
_PREFIXES = {"": 1.0, "m": 1e-3, "u": 1e-6, "µ": 1e-6}
_IN_NAMES = (
    re.compile(rf"\s*(?:@|\bat\b)\s*(?:V\w*\s*=\s*)?{_NUMBER}\s*(?P<prefix>[mu]?)V\b", re.IGNORECASE),
    re.compile(rf"\s*[(\[]\s*(?:V\w*\s*=\s*){_NUMBER}\s*(?P<prefix>[mu]?)V\s*[)\]]", re.IGNORECASE),
    re.compile(rf"\s*[(\[]\s*{_NUMBER}\s*(?P<prefix>[mu]?)V\s*[)\]]"),
    re.compile(rf"[_ ]{_NUMBER}(?P<prefix>[mu]?)V(?![A-Za-z])"),
)
_ABOVE = re.compile(
    r"(?:(?:^|[\s,;#])(?:v[ _]?read|read(?:ing|out)?[ _]?(?:voltage|bias|v)|(?:source|applied|bias|drain)[ _]voltage|"
    r"v[ _]?bias)|(?:^|[,;#]\s*)(?:voltage|bias))\s*(?:[(\[]\s*(?P<unit>[mu]?V)\s*[)\]])?"
    rf"\s*[:=,;\t ]\s*{_NUMBER}\s*(?P<prefix>[mu]?)(?:V?)\s*(?:$|[\s,;)])",
    re.IGNORECASE,
)


def voltage_in_name(text: str) -> tuple[str, float | None]:
    """Return the name of a column without the voltage that it states, and that voltage (V); None where it states none."""
    for pattern in _IN_NAMES:
        match = pattern.search(text)
        if match is not None and match.start():
            volts = _volts(match["number"], match["prefix"])
            if volts is not None:
                return (text[: match.start()] + text[match.end() :]).strip(), volts
    return text, None


def voltage_above(lines: Sequence[str]) -> float | None:
    """Return the voltage (V) of the reads that the lines above a table state; None for none, or several that differ."""
    voltages = set()
    for line in lines:
        for one in _ABOVE.finditer(line[:LONGEST_LINE]):
            volts = _volts(one["number"], (one["unit"] or "")[:-1] or one["prefix"] or "")
            voltages |= set() if volts is None else {volts}
    return voltages.pop() if len(voltages) == 1 else None


def _volts(number: str, prefix: str) -> float | None:
    """Return a voltage at which cells are read; None for none, such as 0 V, at which nothing is."""
    value = plain_number(number)
    volts = None if value is None else value * _PREFIXES[prefix.lower()]
    return volts if volts is not None and 0.0 < abs(volts) <= MOST_VOLTS else None


ALIASES = {
    "volt": "V", "volts": "V", "amp": "A", "amps": "A", "ampere": "A", "amperes": "A", "second": "s", "seconds": "s",
    "sec": "s", "secs": "s", "ohms": "ohm", "siemens": "S", "mho": "S", "mhos": "S", "umho": "uS", "msec": "ms",
    "usec": "us", "nsec": "ns", "kelvin": "K", "db": "dB", "degc": "degC", "°c": "degC", "celsius": "degC",
    "hours": "hour", "hrs": "hour", "deg c": "degC", "oc": "degC", "ºc": "degC", "volt dc": "V", "volts dc": "V",
    "vdc": "V", "amp dc": "A", "amps dc": "A",
}  # fmt: skip
NO_UNIT = {"", "1", "#", "a.u.", "arb", "arb.", "arb. u.", "none", "-", "count", "counts"}
CELSIUS = "degC"
AS_IT_IS = (1.0, 1.0)


def base_and_ratio(unit: str) -> tuple[str, tuple[float, float]]:
    """Return the SI unit of the kind of `unit`, and the ratio to it; the unit itself where it is not known."""
    given = plain_unit(unit)
    if given == CELSIUS:  # not a factor away from K
        return given, AS_IT_IS
    base = next((one for one in BASE_UNITS if one and factor_between(given, one) is not None), given)
    return base, ratio_between(given, base) or AS_IT_IS


def plain_unit(unit: str) -> str:
    """Return a unit in the words of SI: V for Volts, an empty one for none."""
    plain = unit.strip()
    return "" if plain.lower() in NO_UNIT else ALIASES.get(plain.lower(), plain)


def looks_like_units(fields: Sequence[str]) -> bool:
    """Return whether a line under the names holds units, and nothing else."""
    known = [bool(kind_of_unit(field.strip(" ()[]"))) or field.strip().lower() in NO_UNIT for field in fields]
    some = [bool(kind_of_unit(field.strip(" ()[]"))) for field in fields]
    return any(some) and all(known)


def kind_of_unit(unit: str) -> str:
    """Return the base unit of what a unit measures; empty where it is none."""
    given = plain_unit(unit)
    if not given or not any(mark.isalpha() or mark in "%°" for mark in given):
        return ""
    if given in ("dB", "%"):
        return given
    return next((one for one in BASE_UNITS if one and factor_between(given, one) is not None), "")
