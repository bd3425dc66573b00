"""Headers of foreign columns: the quantity that a name stands for, its unit, and what else the name tells.

``I_cycle3 [uA]`` is a current in microamperes, of cycle 3; ``R_LRS (kOhm)`` a resistance, of the low-resistance state.

Beyond the bounds of what quantities of cells can be, a table holds another quantity, another unit, or a slip of the pen. A
conductance a little below 0 is the offset of a meter on a cell that conducts nothing; one far below it is no cell's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.errors import InputError
from mho.extensions.imports.tables.units import (
    AS_IT_IS,
    CELSIUS,
    Clock,
    kind_of_unit,
    plain_unit,
    voltage_in_name,
)
from mho.runs import BASE_UNITS, factor_between, ratio_between

# What columns mean that mho knows, and their units in a run file
UNITS = {
    "voltage": "V", "current": "A", "conductance": "S", "resistance": "Ω", "time": "s", "width": "s", "gate": "V",
    "before": "S", "before_resistance": "Ω", "target": "S", "target_resistance": "Ω", "temperature": "K", "snr": "dB",
    "row": "", "column": "", "cell": "", "cycle": "", "sweep": "", "pulse": "", "state": "", "kind": "", "ber": "",
    "errors": "", "bits": "", "limited": "", "level": "", "repeat": "", "read_voltage": "V", "v_set": "V", "v_reset": "V",
    "lrs": "S", "hrs": "S", "lrs_resistance": "Ω", "hrs_resistance": "Ω", "mean": "S", "mean_resistance": "Ω",
    "deviation": "S", "deviation_resistance": "Ω", "count": "",
}  # fmt: skip
# Meanings whose values are counts and numbers, from 0
WHOLE = {"row", "column", "cell", "cycle", "sweep", "pulse", "errors", "bits", "level", "repeat", "count"}
WORDS = {
    "voltage": "voltage volt volts vd vds v_ds v_read vread read_voltage v_bl vbl bit_line bitline source_voltage "
    "applied_voltage bias amplitude pulse_voltage v_pulse vpulse pulse_amplitude v_set vset v_sl vsl ramped",
    "current": "current curr amps id ids i_ds i_read iread read_current source_current measured_current compliance_current",
    "conductance": "conductance cond g_read gread g_after admittance weight g_final",
    "resistance": "resistance res r_read rread r_after ohms ohm r_final",
    "time": "time timestamp datetime date_time elapsed elapsed_time time_elapsed retention_time relative_time "
    "bench_time seconds t_s",
    "width": "width pulse_width pulsewidth duration tpw t_pulse tpulse pulse_length pw",
    "gate": "gate word_line wordline v_wl vwl v_gate vgate vg v_g gate_voltage",
    "before": "before g_before conductance_before g_initial gi g_start",
    "before_resistance": "r_before resistance_before r_initial ri r_start",
    "target": "target g_target target_conductance gtarget goal g_goal desired",
    "target_resistance": "r_target target_resistance",
    "temperature": "temperature temp t_k t_c chuck_temperature",
    "snr": "snr snr_db eb_n0 ebn0 eb_no es_n0 esn0 signal_to_noise signal_to_noise_ratio",
    "ber": "ber bit_error_rate error_rate bit_error_ratio ser",
    "errors": "errors bit_errors error_count wrong_bits n_errors",
    "bits": "bits total n_bits total_bits bits_sent sent_bits",
    "row": "row rows",
    "column": "column columns col",
    "cell": "cell device dev cell_number device_number address addr cell_address cell_id device_id dut",
    "cycle": "cycle cycles cycle_number n_cycle ncycle cycle_count number_of_cycles switching_cycle endurance_cycle cyc",
    "sweep": "sweep loop sweep_number repeat_number run iteration repetition sweep_index",
    "pulse": "pulse_number pulse_count pulse_index n_pulse npulse pulses number_of_pulses of_pulses pulse_idx "
    "pulse_no step_number",
    "state": "state resistance_state lrs_hrs",
    "kind": "kind pulse pulse_kind operation op polarity pulse_type command",
    "limited": "limited in_compliance compliance_flag limit_reached",
    "level": "level digit target_level range",
}  # fmt: skip

# A capital T is a temperature where its unit says so, a capital C a capacitance
LETTERS = {
    "r": "row", "c": "column", "g": "conductance", "G": "conductance", "R": "resistance", "i": "current",
    "I": "current", "u": "voltage", "U": "voltage", "v": "voltage", "V": "voltage", "t": "time",
}  # fmt: skip
TERMINALS = re.compile(
    r"(?:[A-D]|(?i:anode|cathode|drain|source|top|bottom|smu|force|sense|meas|measured|cell|bl|sl|be|te))_?(?P<letter>[VI])"
)
LOGARITHM = re.compile(r"(?:log|ln|lg)(?:10|2|e)?\b[ _]?[(|]|(?:log|ln|lg)(?:10|2|e)?[ _]", re.IGNORECASE)
JUNCTIONS = re.compile(r"(?P<letter>[VI])_?[bcdegst]{2}\d?")
BRANCHES = {"pot": 1, "potentiation": 1, "ltp": 1, "dep": 2, "depression": 2, "ltd": 2}
GATES = re.compile(r"(?:gate|g|wl)_?V|VG|Vg")
LINES = {"bl", "wl", "sl", "col", "column", "row", "cols", "columns", "rows"}
STATES = {"lrs": 0, "on": 0, "lrs_r": 0, "hrs": 1, "off": 1}
# What the number in a name counts, by the word before it
COUNTED = {
    "cycle": "cycle", "cyc": "cycle", "sweep": "sweep", "loop": "sweep", "run": "sweep", "cell": "cell", "device": "cell",
    "dev": "cell", "dut": "cell", "d": "cell", "sample": "repeat",
}  # fmt: skip
# Words for the kinds of pulses, and the numbers that a run file has for them
KINDS = {
    **dict.fromkeys(("read", "none", "verify"), 0.0),
    **dict.fromkeys(("set", "form", "forming", "pot", "potentiation", "ltp"), 1.0),
    **dict.fromkeys(("reset", "dep", "depression", "ltd"), 2.0),
}  # fmt: skip
STATE_WORDS = {
    **dict.fromkeys(("lrs", "on", "set", "low", "0", "0.0"), 0.0),
    **dict.fromkeys(("hrs", "off", "reset", "high", "1", "1.0"), 1.0),
}  # fmt: skip

QUANTITIES = ("current", "voltage", "conductance", "resistance", "time", "ber", "snr")
COMMON = [
    "dB",
    *(prefix + unit for unit in ("V", "A", "S", "ohm", "s") for prefix in ("", "m", "u", "n", "k", "M")),
]

_TEMPERATURE = re.compile(r"(?:t|temp|temperature)[ _]*(?:\(C\)|\[C\]|/ ?C|_(?:deg)?c)", re.IGNORECASE)
# A unit inside a name: Time[ns]_LTP
_INSIDE = re.compile(r"(?P<name>[^()\[\]]+)[\[(](?P<unit>[^()\[\]]+)[\])](?P<more>[ _][^()\[\]]+)")
_HEADER = re.compile(
    r"(?P<name>.*?)\s*(?:\((?P<round>[^()]*)\)|\[(?P<square>[^\[\]]*)\]|/\s*(?P<slash>[^\W\d_]+|%))?\s*"
)
_KNOWN = {word: meaning for meaning, words in WORDS.items() for word in words.split()}


@dataclass(frozen=True)
class ColumnHeader:
    """What a column's header tells."""

    index: int  # the column's place in the table, from 0
    text: str  # the header as it stands there
    name: str  # without the unit
    meaning: str  # one of `UNITS`; empty where it is not known
    unit: str  # as it stands there; empty without one
    state: int | None = None  # 0 for LRS, 1 for HRS, where the name says so
    # counts, number: what the number in the name counts (``cycle``, ``cell``, …; empty where it does not
    # say), and the number
    counts: str = ""
    number: int | None = None
    at: float | None = None  # the voltage (V) at which it was measured, where the name says so: ``I @ 0.2 V``
    clock: Clock | None = None  # how times of a clock are read, of a column of such times

    @property
    def identifier(self) -> str:
        """A Python identifier made of the name."""
        plain = "".join(mark if mark.isalnum() else "_" for mark in self.name.strip().lower()).strip("_")
        return plain if plain.isidentifier() else f"column_{self.index}"


def read_headers(names: Sequence[str], units: Sequence[str] = ()) -> tuple[ColumnHeader, ...]:
    """Return what the headers of a table tell, with the line of `units` below it where there is one."""
    headers = []
    for index, text in enumerate(names):
        one = _read(index, text.strip())
        below = units[index].strip(" ()[]") if index < len(units) else ""
        headers.append(with_unit(one, below) if below else one)
    return tuple(headers)


def with_unit(header: ColumnHeader, unit: str) -> ColumnHeader:
    """Return a header with the unit that stands elsewhere; C beside a temperature is no coulomb."""
    if unit == "C" and (header.meaning == "temperature" or header.name.strip() == "T"):
        return replace(header, unit=CELSIUS, meaning="temperature")
    return replace(header, unit=unit, meaning=header.meaning or _by_unit(unit))


def ratio_to(unit: str, meaning: str, what: str, source: str) -> tuple[float, float]:
    """Return what values in `unit` are multiplied with and divided by to be in the unit of `meaning`.

    Raises `InputError`: the unit is unknown, or of another kind; the sentence begins with `source` and names the column
    by `what`.
    """
    target, given = UNITS[meaning], plain_unit(unit)
    if not given or given == target or (not target and meaning not in WHOLE and given in ("%", "percent")):
        return (1.0, 100.0) if given in ("%", "percent") else AS_IT_IS
    ratio = ratio_between(given, target) if target not in ("dB",) else None
    if ratio is None:
        if all(factor_between(given, one) is None for one in BASE_UNITS):
            fitting = [one for one in COMMON if factor_between(one, target) is not None]
            near = [one for one in fitting if one.lower() == given.lower()] or get_close_matches(
                given, fitting, 1, 0.5
            )
            raise InputError(
                f"{source}, {what}: {given!r} is no unit of {', '.join(filter(None, BASE_UNITS))} with an SI prefix"
                f"{f'; did you mean {near[0]}?' if near else ''}"
            )
        raise InputError(f"{source}: {what} is in {unit}, and {meaning} has the unit {target or 'none'}")
    return ratio


def _by_unit(unit: str) -> str:
    kind = kind_of_unit(unit)
    kinds = {
        "V": "voltage", "A": "current", "S": "conductance", "Ω": "resistance", "s": "time",
        "K": "temperature",
    }  # fmt: skip
    return kinds.get(kind, "")


def _read(index: int, text: str) -> ColumnHeader:
    if _TEMPERATURE.fullmatch(text):
        return ColumnHeader(index, text, re.split(r"[ _([/]", text)[0], "temperature", CELSIUS)
    plain, at = voltage_in_name(text)
    header = _plainly_read(index, plain)
    if at is not None and header.meaning in ("current", "resistance", "conductance"):
        return replace(header, text=text, at=at)
    return header if plain == text else _plainly_read(index, text)


def _plainly_read(index: int, text: str) -> ColumnHeader:
    name, unit = split_header(text)
    meaning, state, counts, number = _meaning_in_name(name)
    if meaning in COUNTED.values() and number is not None and _by_unit(unit):
        meaning, counts = "", meaning  # cell 1 (kOhm)
    if not meaning and unit and not LOGARITHM.match(name):
        meaning = _by_unit(unit)
    if name == "T" and kind_of_unit(unit) == "K":
        meaning = "temperature"
    return ColumnHeader(index, text, name, meaning, unit, state, counts, number)


def split_header(header: str) -> tuple[str, str]:
    """Return name and unit of ``G (uS)``, ``G [uS]``, ``G / uS`` or ``G_uS``."""
    inside = _INSIDE.fullmatch(header)
    if inside is not None and kind_of_unit(inside["unit"]):
        return f"{inside['name']}{inside['more']}", inside["unit"].strip()
    match = _HEADER.fullmatch(header)
    assert match is not None  # every part of it is optional
    unit = next((part for part in match.group("round", "square", "slash") if part is not None), None)
    if unit is not None and match["slash"] is not None and not kind_of_unit(unit) and unit.lower() in LINES:
        return header, ""  # WL/BL
    if unit is not None and not (unit.strip().isdigit() and match["slash"] is None):
        return match["name"], unit.strip()
    name, _, ending = header.rpartition("_")
    if not name or ending.lower() in STATES or not kind_of_unit(ending):  # HRS is no number of hours
        return header, ""
    meaning = _meaning_in_name(name)[0]
    fits = not meaning or factor_between(plain_unit(ending), UNITS[meaning]) is not None
    return (name, ending) if fits else (header, "")


def _meaning_in_name(name: str) -> tuple[str, int | None, str, int | None]:
    """Return meaning, state, what the number counts, and the number, that a name tells."""
    if LOGARITHM.match(name.strip()):
        return "", None, "", None  # a number of decades, whatever its unit says
    plain = re.sub(r"[^0-9a-zµ]+", "_", name.strip().lower()).strip("_")
    if (meaning := LETTERS.get(name.strip()) or _KNOWN.get(plain)) is not None:
        return meaning, None, "", None
    if GATES.fullmatch(name.strip()):
        return "gate", None, "", None
    if match := TERMINALS.fullmatch(name.strip()) or JUNCTIONS.fullmatch(name.strip()):
        return {"V": "voltage", "I": "current"}[match["letter"].upper()], None, "", None
    name = re.sub(r"^([RGI])(on|off|lrs|hrs)$", r"\1_\2", name.strip(), flags=re.IGNORECASE)
    words = re.findall(r"[A-Za-zµ]+|\d+", name)
    state = next((STATES[word.lower()] for word in words if word.lower() in STATES), None)
    counts, number = "", None
    left: list[str] = []
    for place, word in enumerate(words):
        if word.isdigit() and len(word) < 8:
            number = int(word) if number is None or (place == len(words) - 1 and number == 1) else number
            if place and words[place - 1].lower() in COUNTED and left and len(words) > 2:
                counts = COUNTED[left.pop().lower()]
        elif word.lower() not in STATES and word.lower() not in ("smu", "ch", "channel", "unit"):
            left.append(word)
    if number is None and len(left) > 1 and left[-2].lower() in COUNTED and re.fullmatch("[A-Z]", left[-1]):
        number, counts = ord(left.pop()) - ord("A"), COUNTED[left.pop().lower()]  # device A, device B
    branch = next((word for word in left if word.lower() in BRANCHES), None)
    if branch is not None:
        number, counts = BRANCHES[branch.lower()], "kind"
        left.remove(branch)
    quantity = "_".join(left)
    meaning = LETTERS.get(quantity) or _KNOWN.get(quantity.lower()) or ""
    if not meaning:
        meaning = next((_KNOWN[word.lower()] for word in left if _KNOWN.get(word.lower()) in QUANTITIES), "")
    if not meaning and left and len(left) <= 2 and (state is not None or number is not None):
        meaning = next((LETTERS[word] for word in left if word in LETTERS), "")
    return meaning, state, counts, number


OFFSET = 1e-7  # S: how far below 0 a meter's offset leaves a conductance at most
_VOLTS = (-200.0, 200.0)  # source-measure units of the field end there
_SIEMENS = (-OFFSET, 1.0)  # 1 ohm is less than the wires of a cell have

# Least and largest value by meaning, SI
BOUNDS: Mapping[str, tuple[float, float]] = {
    **dict.fromkeys(("voltage", "gate", "read_voltage", "v_set", "v_reset"), _VOLTS),
    "current": (-1.0, 1.0),
    **dict.fromkeys(("conductance", "before", "target", "lrs", "hrs", "mean"), _SIEMENS),
    "deviation": (0.0, 1.0),
    "deviation_resistance": (0.0, math.inf),
    "time": (-1e10, 1e10),  # three centuries, on either side of 1970
    "width": (0.0, 1e6),
    "temperature": (1e-3, 3000.0),
    "snr": (-1000.0, 1000.0),
    "ber": (0.0, 1.0),
    "limited": (0.0, 1.0),
}


def beyond(meaning: str, values: Floats) -> NDArray[np.bool_]:
    """Return which values of a meaning (SI) no cell, bench or laboratory has; missing ones (NaN) are none of them."""
    low, high = BOUNDS.get(meaning, (-math.inf, math.inf))
    return (values < low) | (values > high) | np.isinf(values)


def why_beyond(meaning: str, value: float) -> str:
    """Return what is wrong with a value (SI) that is `beyond`."""
    low, high = BOUNDS.get(meaning, (-math.inf, math.inf))
    unit = f" {UNITS[meaning]}" if UNITS[meaning] else ""
    if not math.isfinite(value):
        return f"a {meaning} beyond all numbers"
    if math.isinf(low) and math.isinf(high):
        return f"a {meaning} of {value:.6g}{unit}"
    shown = 0.0 if low == -OFFSET else low
    return f"a {meaning} of {value:.6g}{unit}, which is not between {shown:g} and {high:g}{unit}"
