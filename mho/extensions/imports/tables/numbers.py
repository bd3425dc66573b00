"""Numbers as tables have them: plain decimal ones that a double holds, those that are missing, and overflows of meters.

What else Python reads as a number (``1_000``, ``infinity``, digits of other scripts, more digits than a double can hold) is
none here.
"""

from __future__ import annotations

import math
import re

import numpy as np

from mho.array_types import Floats

LONGEST = 400  # characters of a number at most: a double in full has 325
NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
# What stands for a value that was not measured
MISSING = {
    "",
    "nan",
    "na",
    "n/a",
    "null",
    "none",
    "-",
    "--",
    "#n/a",
    "inf",
    "+inf",
    "-inf",
    "overflow",
    "---",
}
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
        found = np.array(texts, dtype=np.float64)
    except ValueError:
        return None
    odd = np.flatnonzero(~np.isfinite(found)).tolist()
    if any(texts[place].strip().lower() not in MISSING for place in odd):
        return None
    found[odd] = math.nan
    return found


def without_overflows(values: Floats) -> Floats:
    """Return values with NaN for those that a meter wrote for an overflow."""
    size = np.abs(values)
    return np.where((size >= OVERFLOW[0]) & (size <= OVERFLOW[1]), math.nan, values)


def shown(text: str) -> str:
    """Return a text in quotation marks, as a sentence has it: a long one by its beginning and length."""
    return repr(text) if len(text) <= 2 * _SHOWN else f"{text[:_SHOWN]!r}… ({len(text)} characters)"
