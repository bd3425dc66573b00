"""Formats numbers for people, with units of a handy size."""

from __future__ import annotations

import re

from mho.runs import RecordedParameter

_HANDY = {"S": (1e6, "µS"), "A": (1e6, "µA"), "S/V": (1e6, "µS/V")}


def handy_unit(unit: str) -> tuple[float, str]:
    """Return the factor and the unit in which values of `unit` (SI) are shown: conductances in µS, currents in µA."""
    return _HANDY.get(unit, (1.0, unit))


_SYMBOLS = re.compile(r"\bv (set|reset)\b")


def name_words(name: str) -> str:
    """Return the name of a column or result as papers write it: ``V_SET``, ``relative error``."""
    return _SYMBOLS.sub(lambda found: f"V_{found[1].upper()}", name.replace("_", " "))


def with_unit(words: str, unit: str) -> str:
    """Return words with a unit behind them, as papers label an axis: ``conductance (µS)``."""
    return f"{words} ({unit})" if unit else words


def name_text(name: str, unit: str = "") -> str:
    """Return the name of a result as people write it, with its unit of a handy size: ``lrs, median (µS)``."""
    return with_unit(name_words(name).replace(".", ", "), handy_unit(unit)[1])


def quantity_text(value: object, unit: str = "", digits: int = 6) -> tuple[str, str]:
    """Return a value of a result as text, and its unit of a handy size; None is ``-``, a truth ``yes`` or ``no``."""
    factor, handy = handy_unit(unit)
    match value:
        case None:
            return "-", handy
        case bool():
            return ("yes" if value else "no"), unit
        case int() if factor == 1.0:
            return str(value), handy
        case int() | float():
            return f"{factor * value:.{digits}g}", handy
        case _:
            return str(value), unit


def duration_text(seconds: float) -> str:
    """Return a time span as text: ``4.7 s``, ``3 min 20 s``, ``2 h 05 min``."""
    if seconds < 100.0:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 2 * 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def parameter_text(parameter: RecordedParameter) -> str:
    """Return a parameter's value with its unit."""
    match parameter.value:
        case None | "":
            text = "none"
        case bool():
            text = "yes" if parameter.value else "no"
        case float():
            text = f"{parameter.value:.6g}"
        case _:
            text = str(parameter.value)
    origin = f" ({parameter.origin})" if parameter.origin else ""
    unit = "" if text == "none" else parameter.unit
    return f"{text} {unit}".rstrip() + origin
