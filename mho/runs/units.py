"""Converts units of one kind into each other: a query or a foreign table may say mV, a run file keeps V."""

from __future__ import annotations

import functools
import re
import tokenize

# SI units that run files use; "" for a pure number
BASE_UNITS = ("V", "A", "S", "Ω", "s", "Hz", "K", "W", "J", "F", "")
# What pint raises beside its own errors where a text is no unit
UNPARSED = (
    tokenize.TokenError, SyntaxError, ArithmeticError, AttributeError, ValueError, TypeError, AssertionError,
)  # fmt: skip
# What no unit has: such texts are not parsed, since headers hold anything, and 9**9**9**9 has no end
NO_UNIT = re.compile(r"[^\w\s%°µμ·*/^.+-]|.{41}|\d{3}|(?:\*\*|\^)[^*^/·]*(?:\*\*|\^)", re.DOTALL)


@functools.cache
def factor_between(given: str, unit: str) -> float | None:
    """Return the factor that turns a value in `given` into one in `unit`; None when they are of another kind."""
    if given == unit:
        return 1.0
    if not given or not unit or NO_UNIT.search(given):
        return None
    given, unit = (re.sub("ohms?$", "ohm", one, flags=re.IGNORECASE) for one in (given, unit))
    import pint  # slow to load, and few queries name a unit

    try:
        return float(pint.application_registry.Quantity(1.0, given).to(unit).magnitude)
    except (pint.errors.PintError, *UNPARSED):
        return None


def ratio_between(given: str, unit: str) -> tuple[float, float] | None:
    """Return numerator and denominator of `factor_between`, one of them 1; None as there.

    200 mV / 1000 is 0.2 V exactly; 200 times a factor that is not exact itself may miss it by the last bit.
    """
    factor = factor_between(given, unit)
    if factor is None:
        return None
    inverse = float(round(1.0 / factor)) if 0.0 < factor < 1.0 else 0.0
    return (1.0, inverse) if inverse and abs(inverse * factor - 1.0) < 1e-9 else (factor, 1.0)


def converted(number: float, given: str, unit: str) -> float | None:
    """Return `number` in `unit`; None when the units are of another kind."""
    ratio = ratio_between(given, unit)
    return None if ratio is None else number * ratio[0] / ratio[1]
