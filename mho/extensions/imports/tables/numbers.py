"""Numbers as tables have them: plain decimal ones that a double holds, those that are missing, and overflows of meters.

What else Python reads as a number (``1_000``, ``infinity``, digits of other scripts, more digits than a double can hold) is
none here. Whether a comma is a decimal mark, or parts thousands, is told by all numbers of a table.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mho.array_types import Floats

COMMA, POINT = "comma", "point"
DECIMAL_MARKS = (COMMA, POINT)  # what can be said of a table's decimal mark
_SIGNED = r"[+-]?"
_DECIMAL = re.compile(_SIGNED + r"\d*,\d+(?:[eE][+-]?\d+)?")
_GROUPED = re.compile(_SIGNED + r"[1-9]\d{0,2}(?:,\d{3})+")  # a number with thousands does not begin with 0
_CERTAINLY_GROUPED = re.compile(_SIGNED + r"[1-9]\d{0,2}(?:(?:,\d{3}){2,}|(?:,\d{3})+\.\d*)")
_THOUSANDS = {
    ",": re.compile(_SIGNED + r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d*)?"),
    ".": re.compile(_SIGNED + r"[1-9]\d{0,2}(?:\.\d{3})+(?:,\d*)?"),
}
_POINTS_GROUP = re.compile(_SIGNED + r"[1-9]\d{0,2}(?:\.\d{3})+,\d*")
_POINT = re.compile(_SIGNED + r"(?:\d+\.\d*|\.\d+)(?:[eE][+-]?\d+)?")


@dataclass(frozen=True)
class DecimalMark:
    """How the numbers of a table are written."""

    comma: bool = False  # whether the decimal mark is a comma
    grouping: str = ""  # what parts thousands; empty for nothing
    # A number that could be meant in either way, where none tells; empty where it is clear
    doubtful: str = ""
    # A number that tells what the comma is; empty where none has one, and where it was said
    proof: str = field(default="", compare=False)


def is_grouped(text: str, mark: str) -> bool:
    """Return whether `mark` parts the thousands of a number, three digits each."""
    return bool(_THOUSANDS[mark].fullmatch(text))


def decimal_mark(fields: Sequence[str], by_commas: bool, said: str = "") -> DecimalMark:
    """Return how the numbers among the fields of a table are written.

    ``5,1`` and ``0,001`` have a decimal comma, ``1,234,567`` and ``5,001.2`` thousands; beside ``0.5`` the comma of
    ``5,001`` parts thousands. Where all numbers are like ``5,001``, nothing tells.

    `by_commas`: whether fields are apart by commas: a spreadsheet of such a language writes thousands so, in quotation
    marks. `said`: one of `DECIMAL_MARKS`, where the mark was said; empty where not.
    """
    with_comma = [one for one in fields if "," in one]
    if not with_comma:
        return DecimalMark(said == COMMA)
    points_group = any(map(_POINTS_GROUP.fullmatch, with_comma))
    by_mark = {COMMA: DecimalMark(True, "." if points_group else ""), POINT: DecimalMark(False, ",")}
    if said:
        return by_mark[said]
    grouped = _first(with_comma, _CERTAINLY_GROUPED.fullmatch)
    decimal = _first(with_comma, _POINTS_GROUP.fullmatch) or _first(
        with_comma, lambda one: _DECIMAL.fullmatch(one) and not _GROUPED.fullmatch(one)
    )
    either = _first(with_comma, _GROUPED.fullmatch)
    points = _first(fields, lambda one: "." in one and "," not in one and _POINT.fullmatch(one))
    if decimal and (grouped or (points and not points_group)):
        return DecimalMark()  # both are there: those that do not fit are named line by line
    if decimal:
        return replace(by_mark[COMMA], proof=decimal)
    if grouped or (either and points):
        return replace(by_mark[POINT], proof=grouped or points)
    if either:
        return DecimalMark(not by_commas, "," if by_commas else "", either)
    return DecimalMark()


def _first(fields: Sequence[str], fits: Callable[[str], object]) -> str:
    """Return the first field that fits; empty for none."""
    return next((one for one in fields if fits(one)), "")


LONGEST = 400  # characters of a number at most: a double in full has 325
NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
# What stands for a value that was not measured
MISSING = {
    "", "nan", "na", "n/a", "null", "none", "-", "--", "---", "#n/a", "inf", "+inf", "-inf", "overflow",
}  # fmt: skip
# Sizes between which SCPI (1999.0, 7.2.1.4 and 7.2.1.5) writes what is infinite, or no number
OVERFLOW = 9.9e37, 9.92e37
_NUMBER = re.compile(NUMBER)
_SHOWN = 24


def plain_number(text: str) -> float | None:
    """Return a number with a decimal point; None for what is none, or too large for one."""
    if len(text) > LONGEST or _NUMBER.fullmatch(text) is None:
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def plain_numbers(texts: list[str]) -> Floats | None:
    """Return numbers with decimal points, NaN for missing ones; None where a text is neither, or needs a closer look."""
    if max(map(len, texts), default=0) > LONGEST:
        return None
    whole = "".join(texts)
    if "_" in whole or not whole.isascii():
        return None
    try:
        numbers = np.array(texts, dtype=np.float64)
    except ValueError:
        return None
    odd = np.flatnonzero(~np.isfinite(numbers)).tolist()
    if any(texts[place].strip().lower() not in MISSING for place in odd):
        return None
    numbers[odd] = math.nan
    return numbers


def without_overflows(values: Floats) -> Floats:
    """Return values with NaN for those that a meter wrote for an overflow."""
    size = np.abs(values)
    return np.where((size >= OVERFLOW[0]) & (size <= OVERFLOW[1]), math.nan, values)


def shown(text: str) -> str:
    """Return a text in quotation marks, as a sentence has it: a long one by its beginning and length."""
    return repr(text) if len(text) <= 2 * _SHOWN else f"{text[:_SHOWN]!r}… ({len(text)} characters)"
