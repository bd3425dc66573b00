"""Several values in one field of a form: ``1 to 3 V in 5 steps``, ``1 to 1000 in 4 log steps``, ``0.5 V; 1 V; 2 V``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import product
from math import prod
from typing import Any

from mho.errors import InputError

STEPS = re.compile(
    r"\s*(?P<first>\S.*?)\s+to\s+(?P<last>\S.*?)\s+in\s+(?P<count>\d{1,6})\s+(?P<log>log\s+)?steps?\s*",
    re.IGNORECASE,
)
APART = ";"
MOST = 1000
"""Runs that one form may come to."""


def swept(text: Any, unit: str, name: str) -> list[str] | None:
    """Return the values that a text names, each as one would type it; None for a text that names one.

    Raises `InputError` for ends that are no quantities of `unit`, for a single step, and for too many.
    """
    if not isinstance(text, str):
        return None
    if APART in text:
        parts = [part.strip() for part in text.split(APART) if part.strip()]
        return parts if len(parts) > 1 else None
    found = STEPS.fullmatch(text)
    if found is None:
        return None
    from mho.procedures.quantities import parse_quantity

    count = int(found["count"])
    if not 2 <= count <= MOST:
        raise InputError(f"{name} is {text!r}, {count} steps; give 2 to {MOST}")
    given = re.search(r"[^\W\d_]+$|[%Ω]$", found["last"])
    own = re.search(r"[^\W\d_]+$|[%Ω]$", found["first"])
    # 1 to 3 mV: both are in millivolts
    lowest = found["first"] + (given[0] if given and not own else "")
    first, last = (parse_quantity(end, unit, name) for end in (lowest, found["last"]))
    shares = [step / (count - 1) for step in range(count)]
    if not found["log"]:
        return [f"{first + share * (last - first):.9g}" for share in shares]
    if not first * last > 0.0:
        raise InputError(
            f"{name} is {text!r}; logarithmic steps go between two values of the same sign, neither 0"
        )
    return [f"{first * (last / first) ** share:.9g}" for share in shares]


def combinations(values: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    """Return every combination of some fields' values, the last field changing fastest; [{}] without any.

    Raises `InputError` for more than `MOST`.
    """
    count = prod(len(one) for one in values.values())
    if count > MOST:  # before they are made, for there may be millions
        raise InputError(
            f"the form asks for {count:,} runs, more than {MOST:,}; sweep fewer values, or write a plan"
        )
    return [dict(zip(values, one, strict=True)) for one in product(*values.values())]
