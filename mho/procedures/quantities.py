"""Conversion of a typed number with or without a unit, ``200mV`` or ``0.2``, to a parameter's unit."""

from __future__ import annotations

import math
import re

from mho.errors import InputError
from mho.runs.units import converted

# A plain number and at most a unit: pint alone would also evaluate "2**3 V".
_QUANTITY = re.compile(
    r"\s*(?P<number>[-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(?P<unit>[^\W\d_]*|%|Ω)\s*"
)


def parse_quantity(text: str, unit: str, name: str) -> float:
    """Return the value of `text` in `unit`.

    `text`: a number, which is taken to be in `unit`, or a number with a unit of the same dimension and any SI prefix:
    ``200mV``, ``0.2 V``, ``100 ns``, ``5 uS``. `unit`: the parameter's unit; "" for a pure number. `name`: the
    parameter, for the error. Raises `InputError` for a text that is not a number, an unknown unit, or a unit of
    another dimension.
    """
    match = _QUANTITY.fullmatch(text)
    if match is None or not math.isfinite(float(match["number"])):
        example = f"200m{unit}" if unit in ("V", "A", "s", "S") else f"20 {unit}".strip()
        raise InputError(
            f"{name} is {text!r}; give a number{f' and a unit, such as {example}' if unit else ''}"
        )
    number, given = float(match["number"]), match["unit"]
    if given in ("", unit):
        return number
    if not unit:
        raise InputError(f"{name} is {text!r}; it is a pure number, without a unit")
    value = converted(number, given, unit)
    if value is None:
        raise InputError(f"{name} is {text!r}; {given!r} is not a unit of its kind: give it in {unit}")
    return value
