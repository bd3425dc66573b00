"""Dates and times of day, as instruments and spreadsheets write them; the date may stand in a column of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

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
        found, time = day_of(day, self.day_first), time_of_day(rest.strip())
        if found is None or time is None:
            return None
        return datetime(found.year, found.month, found.day, tzinfo=UTC).timestamp() + time


def time_of_day(text: str) -> float | None:
    """Return the seconds since midnight of ``14:05``, ``14:05:01.25`` or ``2:05 PM``; None for no such text."""
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    hour, minute, second, fraction, half = found.groups()
    hours = int(hour) % 12 + 12 * (half.lower() == "pm") if half else int(hour)
    if hours > 23 or int(minute) > 59 or int(second or 0) > 60:
        return None
    return 3600.0 * hours + 60.0 * int(minute) + int(second or 0) + float(f"0.{fraction or 0}")


def day_of(text: str, day_first: bool = False) -> date | None:
    """Return the day of 2026-01-31, 31.01.2026, 31-Jan-2026, and 01/31/2026 or 31/01/2026; None for no such text."""
    try:
        if found := _YEAR_FIRST.fullmatch(text):
            return date(*map(int, found.groups()))
        if found := _POINTS.fullmatch(text):
            day, month, year = map(int, found.groups())
            return date(year, month, day)
        if found := _SLASHES.fullmatch(text):
            first, second, year = map(int, found.groups())
            return date(year, second, first) if day_first else date(year, first, second)
        if found := _NAMED.fullmatch(text):
            return date(int(found[3]), 1 + _MONTHS.index(found[2].lower()), int(found[1]))
    except ValueError:
        pass
    return None


def is_day_first(texts: Iterable[str]) -> bool | None:
    """Return whether dates with slashes begin with the day; None where several differ, and no number is above 12."""
    found = [one for one in (_SLASHES.match(text.strip()) for text in texts) if one is not None]
    if any(int(one[1]) > 12 for one in found):
        return True
    clear = any(int(one[2]) > 12 for one in found) or len({one[0] for one in found}) < 2
    return False if clear else None
