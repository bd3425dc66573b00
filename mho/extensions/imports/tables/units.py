"""Units as tables have them: Volts, kOhm, °C, Amp DC; in the words of SI."""

from __future__ import annotations

from collections.abc import Sequence

from mho.runs import BASE_UNITS, factor_between, ratio_between

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
