"""Numbers of files, with or without an SI unit: ``4.6``, ``"4.6 V"``, ``"100 uA"``."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

PREFIXES = {
    "f": -15, "p": -12, "n": -9, "u": -6, "µ": -6, "μ": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9,
}  # fmt: skip
_QUANTITY = re.compile(r"\s*(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(?P<unit>\S*)\s*")


def in_unit(unit: str) -> Callable[[Any], Any]:
    """Return a function that turns a text into a number in `unit`, which may stand behind it with any SI prefix.

    What is no text it returns as it is. It raises `ValueError` for another text, or another unit.
    """

    def number(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        match = _QUANTITY.fullmatch(value)
        prefix = None if match is None else match["unit"].removesuffix(unit)
        if match is None or prefix not in PREFIXES or match["unit"] not in ("", f"{prefix}{unit}"):
            raise ValueError(f"{value!r} is no number in {unit}; write it as 0.5 or as '500 m{unit}'")
        power = PREFIXES[prefix] if match["unit"] else 0
        mantissa, _, exponent = match["number"].lower().partition("e")
        return float(f"{mantissa}e{int(exponent or 0) + power}")  # as it would be read when written so

    return number
