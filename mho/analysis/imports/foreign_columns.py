"""The columns of a foreign table: recognises the names and units that people use, and gives the run file's own."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from mho.errors import InputError
from mho.runs.units import BASE, base_unit, factor_between, ratio_between

MEANINGS = {
    "row": {"row", "rows"},
    "column": {"column", "columns", "col"},
    "conductance": {"conductance", "cond"},
    "resistance": {"resistance", "res"},
    "current": {"current", "curr"},
    "voltage": {"voltage", "volt", "vread", "read_voltage"},
    "time": {"time", "timestamp"},
}
PULSES = {
    "kind": {"kind", "pulse", "pulse_kind", "operation", "op", "polarity"},
    "voltage": {"voltage", "amplitude", "pulse_voltage", "v_pulse", "vpulse"},
    "width": {"width", "pulse_width", "duration", "tpw", "t_pulse"},
    "gate": {"gate", "word_line", "v_wl", "vwl", "v_gate", "vgate", "vg", "v_g"},
}
"""What columns of pulses are called, in a table that has one of their kinds."""

KINDS = {
    **dict.fromkeys(("read", "none", "verify"), 0.0), **dict.fromkeys(("set", "form", "forming"), 1.0), "reset": 2.0,
}  # fmt: skip
"""Words for the kinds of pulses, and the numbers that a run file has for them."""

LETTERS = {
    "r": "row", "c": "column", "g": "conductance", "G": "conductance", "R": "resistance", "i": "current",
    "I": "current", "u": "voltage", "U": "voltage", "v": "voltage", "V": "voltage", "t": "time",
}  # fmt: skip
"""A capital T is a temperature, a capital C a capacitance."""

UNITS = {
    "conductance": "S",
    "resistance": "Ω",
    "current": "A",
    "voltage": "V",
    "time": "s",
    "width": "s",
    "gate": "V",
    "kind": "",
    "row": "",
    "column": "",
}

AS_IT_IS = (1.0, 1.0)

_HEADER = re.compile(
    r"(?P<name>.*?)\s*(?:\((?P<round>[^()]*)\)|\[(?P<square>[^\[\]]*)\]|/\s*(?P<slash>[^\W\d_]+|%))?\s*"
)


@dataclass(frozen=True)
class ForeignColumn:
    """A column that is kept.

    Attributes
    ----------
    index : int
        Its place in the table, from 0.
    header : str
        As it stands there.
    name : str
        A Python identifier; one of `MEANINGS` where it is known.
    unit : str
        The unit in the run file.
    ratio : (float, float)
        What the table's values are multiplied with and divided by to be in that unit.
    """

    index: int
    header: str
    name: str
    unit: str
    ratio: tuple[float, float]

    @property
    def whole(self) -> bool:
        """Whether its values are numbers of lines."""
        return self.name in ("row", "column")


def read_header(
    fields: Sequence[str], called: Mapping[str, str], units: Mapping[str, str], source: str
) -> tuple[ForeignColumn, ...]:
    """Return the columns of a table whose header line has `fields`.

    Parameters
    ----------
    called : mapping
        For a meaning (``row``, ``column``, ``conductance``, of pulses ``kind``, ``width``, ``gate``…) the header that has
        it, where it is not guessed.
    units : mapping
        Units by meaning or header, over those in the header.
    source : str
        Names the table in errors.

    Raises
    ------
    InputError
        A column that is named, or given a unit, is not there, a meaning occurs twice, a unit is of another kind,
        or the table has no cells or no conductances.
    """
    headers = [field.strip() for field in fields]
    known = MEANINGS | PULSES
    for meaning, header in called.items():
        if meaning not in known:
            raise InputError(f"no column is called {meaning!r}; {_nearest(meaning, known)}")
        if header not in headers:
            raise InputError(f"{source} has no column {header!r} for {meaning}; it has {', '.join(headers)}")
    wanted = {header: meaning for meaning, header in called.items()}
    names_of_kinds = (_plain(_split(header)[0]) in PULSES["kind"] for header in headers)
    if not ("kind" in called or any(names_of_kinds)):
        known = MEANINGS
    columns: list[ForeignColumn] = []
    for index, header in enumerate(headers):
        column = _column(index, header, wanted.get(header), units, source, set(called), known)
        same = next((one for one in columns if one.name == column.name), None)
        if same is not None:
            raise InputError(
                f"{source}: columns {same.header!r} and {header!r} both seem to be {column.name}; say which is it: "
                f"--column {column.name}={header}"
            )
        columns.append(column)
    names = {column.name for column in columns}
    if "kind" in names and not names & {"conductance", "resistance"}:
        raise InputError(
            f"{source} is a table of pulses, whose voltage is that of the pulse, so that it tells no conductance; give the "
            f"read after each pulse as conductance or resistance: say --column conductance=…, of {', '.join(headers)}"
        )
    given = {*names, *headers, *(_split(header)[0] for header in headers)}
    for name in units:
        if name not in given:
            raise InputError(
                f"{source} has no column {name!r} to be in {units[name]}; {_nearest(name, given)}"
            )
    for name in ("row", "column"):
        if name not in names:
            raise InputError(
                f"{source} has no column for {name}; it has {', '.join(headers)}: say --column {name}=…"
            )
    if not names & {"conductance", "resistance"} and not {"current", "voltage"} <= names:
        raise InputError(
            f"{source} has neither conductance, nor resistance, nor current and voltage; it has "
            f"{', '.join(headers)}: say --column conductance=…"
        )
    return tuple(columns)


def _column(
    index: int,
    header: str,
    meaning: str | None,
    units: Mapping[str, str],
    source: str,
    taken_over: set[str],
    known: Mapping[str, set[str]],
) -> ForeignColumn:
    name, unit = _split(header)
    meaning = meaning or _guess(name, taken_over, known)
    unit = units.get(meaning or "", units.get(header, units.get(name, unit)))
    if meaning is None:
        # Not known to us: kept under its name, in SI where the unit is known.
        base = next((one for one in BASE if one and factor_between(unit, one) is not None), unit)
        return ForeignColumn(
            index, header, _identifier(name, index), base, ratio_between(unit, base) or AS_IT_IS
        )
    target = UNITS[meaning]
    ratio = ratio_between(unit, target) if unit else AS_IT_IS
    if ratio is None:
        base_unit(unit, f"{source}, column {header!r}")
        raise InputError(
            f"{source}: column {header!r} is in {unit}, and {meaning} has the unit {target or 'none'}"
        )
    return ForeignColumn(index, header, meaning, target, ratio)


def _nearest(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, known, 1)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(filter(None, known)))}"


def _split(header: str) -> tuple[str, str]:
    """Return name and unit of ``G (uS)``, ``G [uS]``, ``G / uS`` or ``G_uS``."""
    found = _HEADER.fullmatch(header)
    assert found is not None  # every part of it is optional
    unit = next((part for part in found.group("round", "square", "slash") if part is not None), None)
    if unit is not None:
        return found["name"], unit.strip()
    name, _, ending = header.rpartition("_")
    known = name and any(factor_between(ending, base) is not None for base in BASE if base)
    return (name, ending) if known else (header, "")


def _guess(name: str, taken_over: set[str], known: Mapping[str, set[str]]) -> str | None:
    meaning = LETTERS.get(name.strip()) or next(
        (one for one, names in known.items() if _plain(name) in names), None
    )
    return None if meaning in taken_over else meaning


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "_")


def _identifier(name: str, index: int) -> str:
    plain = "".join(mark if mark.isalnum() else "_" for mark in name.strip().lower()).strip("_")
    return plain if plain.isidentifier() else f"column_{index}"
