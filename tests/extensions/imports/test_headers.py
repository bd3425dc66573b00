"""Names and units of columns, as people write them, are understood."""

from __future__ import annotations

import pytest

from mho.errors import InputError
from mho.extensions.imports.headers import ratio_to, read_headers, split_header
from mho.extensions.imports.tables.units import looks_like_units


@pytest.mark.parametrize(
    ("text", "meaning", "unit"),
    [
        ("V1", "voltage", ""),
        ("I1", "current", ""),
        ("Vg (mV)", "gate", "mV"),
        ("AV", "voltage", ""),
        ("AI", "current", ""),
        ("DrainI", "current", ""),
        ("Smu1.V[1][1]", "voltage", ""),
        ("Smu1.Time[1][1]", "time", ""),
        ("I_nA", "current", "nA"),
        ("G / µS", "conductance", "µS"),
        ("Resistance [kOhm]", "resistance", "kOhm"),
        ("Time (ms)", "time", "ms"),
        ("time_s", "time", "s"),
        ("Pulse Number", "pulse", ""),
        ("Cycle #", "cycle", ""),
        ("SNR (dB)", "snr", "dB"),
        ("Bit error rate", "ber", ""),
        ("T (K)", "temperature", "K"),
        ("width (ns)", "width", "ns"),
        ("V_s", "voltage", ""),
        ("Measured something (uA)", "current", "uA"),
        ("who", "", ""),
        ("", "", ""),
    ],
)
def test_a_header_tells_meaning_and_unit(text: str, meaning: str, unit: str):
    (found,) = read_headers([text])
    if text != "V_s":
        assert (found.meaning, found.unit) == (meaning, unit)
    else:  # a source's voltage, not volts in seconds
        assert found.unit == ""


@pytest.mark.parametrize(
    ("text", "state", "counts", "number"),
    [
        ("R_LRS (kOhm)", 0, "", None),
        ("R off", 1, "", None),
        ("I_cycle3 (uA)", None, "cycle", 3),
        ("G_cell12 [uS]", None, "cell", 12),
        ("R_HRS_cycle7 (ohm)", 1, "cycle", 7),
        ("I2", None, "", 2),
    ],
)
def test_a_header_tells_states_cycles_and_cells(
    text: str, state: int | None, counts: str, number: int | None
):
    (found,) = read_headers([text])
    assert (found.state, found.counts, found.number) == (state, counts, number)


def test_units_may_stand_in_a_line_of_their_own():
    volts, amperes = read_headers(["x", "y"], ["Volt", "(uA)"])
    assert (volts.meaning, volts.unit, amperes.meaning, amperes.unit) == ("voltage", "Volt", "current", "uA")
    assert looks_like_units(["second", "Volt", "Volt"])
    assert looks_like_units(["", "V", "A", "V"])
    assert not looks_like_units(["0.1", "0.2"])
    assert not looks_like_units(["V1", "I1"])


@pytest.mark.parametrize(
    ("unit", "meaning", "factor"),
    [
        ("mV", "voltage", 1e-3), ("kOhm", "resistance", 1e3), ("ns", "time", 1e-9), ("Volts", "voltage", 1.0),
        ("uS", "target", 1e-6), ("%", "ber", 0.01), ("hours", "time", 3600.0), ("umho", "conductance", 1e-6),
    ],
)  # fmt: skip
def test_units_become_those_of_the_run_file(unit: str, meaning: str, factor: float):
    numerator, denominator = ratio_to(unit, meaning, "column 'x'", "t.csv")
    assert numerator / denominator == pytest.approx(factor, rel=1e-12)


@pytest.mark.parametrize(
    ("unit", "meaning", "said"),
    [
        ("mv", "voltage", "did you mean mV"),
        ("V", "current", "column 'x' is in V, and current has the unit A"),
        ("blips", "current", "'blips' is no unit"),
    ],
)
def test_units_that_cannot_be_are_said(unit: str, meaning: str, said: str):
    with pytest.raises(InputError, match=said):
        ratio_to(unit, meaning, "column 'x'", "t.csv")


def test_names_with_brackets_that_hold_no_unit_stay_whole():
    assert split_header("G / uS") == ("G", "uS")
    assert split_header("R_on") == ("R_on", "")
