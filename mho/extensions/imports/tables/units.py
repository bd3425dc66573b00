"""Units as tables have them (Volts, kOhm, °C, Amp DC), and voltages of reads that no column has.

These are stated in the name of a column, ``I @ 0.2 V (uA)``, or above the table.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mho.extensions.imports.tables.numbers import NUMBER, plain_number
from mho.runs import BASE_UNITS, factor_between, ratio_between

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
        found = pattern.search(text)
        if found is not None and found.start():
            volts = _volts(found["number"], found["prefix"])
            if volts is not None:
                return (text[: found.start()] + text[found.end() :]).strip(), volts
    return text, None


def voltage_above(lines: Sequence[str]) -> float | None:
    """Return the voltage (V) of the reads that the lines above a table state; None for none, or several that differ."""
    found = set()
    for line in lines:
        for one in _ABOVE.finditer(line[:LONGEST_LINE]):
            volts = _volts(one["number"], (one["unit"] or "")[:-1] or one["prefix"] or "")
            found |= set() if volts is None else {volts}
    return found.pop() if len(found) == 1 else None


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
