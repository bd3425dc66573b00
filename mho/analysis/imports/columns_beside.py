"""Columns that belong to others: their units, in words, and the dates of their times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mho.analysis.imports.headers import Header, with_unit
from mho.analysis.imports.tables import Line, TextTable
from mho.analysis.imports.tables.clocks import Clock, day_of, is_day_first, time_of_day
from mho.analysis.imports.tables.units import kind_of_unit, plain_unit
from mho.errors import InputError

UNIT_NAMES = {"unit", "units"}
DATE_NAMES = {"date", "datum", "day"}


def with_unit_columns(headers: Sequence[Header], lines: Sequence[Line], path: Path) -> tuple[Header, ...]:
    """Return headers with the units that a column ``Unit`` at their right tells, as KickStart and the 2450 write them.

    Raises
    ------
    InputError
        A column is in several units by turns.
    """
    found = list(headers)
    for place, one in enumerate(headers):
        left = next((n for n in range(place - 1, -1, -1) if not found[n].unit), None)
        if one.name.strip().lower() not in UNIT_NAMES or left is None:
            continue
        texts = {text for text in texts_of(one, lines) if text}
        if not texts or not all(map(kind_of_unit, texts)):
            continue
        units = sorted({plain_unit(text) for text in texts})
        if len(units) > 1:
            raise InputError(
                f"{path}: column {found[left].text!r} is in {' and '.join(units[:4])} by turns, as column {one.text!r} "
                "says; write its values in one unit"
            )
        found[left] = with_unit(found[left], units[0])
    return tuple(found)


def with_clocks(headers: Sequence[Header], lines: Sequence[Line], table: TextTable) -> tuple[Header, ...]:
    """Return headers of which those of times say how dates and times of a clock are read.

    Where seconds stand beside times of a clock, the seconds are the time.

    Raises
    ------
    InputError
        Nothing tells whether dates begin with the day or the month.
    """
    found = list(headers)
    days = [one for one in headers if one.name.strip().lower() in DATE_NAMES and day_of(_first(one, lines))]
    for place, one in enumerate(headers):
        text = _first(one, lines)
        if one.meaning != "time" or not text or table.form.number(text) is not None:
            continue
        date = days[0] if days and time_of_day(text) is not None else None
        day_first = is_day_first(texts_of(date or one, lines))
        if day_first is None:
            shown = _first(date or one, lines)
            raise InputError(
                f"{table.path}: dates such as {shown} may begin with the day or the month, and none tells; write them as "
                "2026-01-31"
            )
        found[place] = replace(one, clock=Clock(None if date is None else date.index, day_first))
    times = [one for one in found if one.meaning == "time" and not one.counts and one.number is None]
    seconds = [one for one in times if one.clock is None and "fraction" not in one.name.lower()]
    kept = seconds or [one for one in times if one.clock is not None]
    beside = {one.index for one in times} - {one.index for one in kept} if kept else set()
    return tuple(replace(one, meaning="") if one.index in beside else one for one in found)


def texts_of(header: Header, lines: Sequence[Line]) -> list[str]:
    """Return the fields of a column."""
    return [line.fields[header.index] for line in lines if header.index < len(line.fields)]


def _first(header: Header, lines: Sequence[Line]) -> str:
    return next((text for text in texts_of(header, lines) if text), "")
