"""Numbers with units, as typed on a command line or in a plan."""

from __future__ import annotations

import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho.errors import InputError
from mho.procedures.quantities import parse_quantity

PREFIXES = {"k": 1e3, "": 1.0, "m": 1e-3, "u": 1e-6, "µ": 1e-6, "n": 1e-9, "p": 1e-12}


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("200mV", "V", 0.2),
        ("0.2", "V", 0.2),
        ("-1.5e-3 V", "V", -1.5e-3),
        ("100 ns", "s", 100e-9),
        ("1 h", "s", 3600.0),
        ("5uS", "S", 5e-6),
        ("5 µS", "S", 5e-6),
        ("3 kohm", "ohm", 3000.0),
        ("24", "bit", 24.0),
        ("24 bit", "bit", 24.0),
        (".5", "", 0.5),
        ("1e6", "", 1e6),
    ],
)
def test_a_quantity_is_taken_to_the_parameters_unit(text, unit, value):
    assert parse_quantity(text, unit, "x") == value


@given(st.integers(-999, 999), st.sampled_from(sorted(PREFIXES)), st.sampled_from(["V", "A", "s", "S"]))
def test_any_prefix_gives_the_number_a_person_means(number, prefix, unit):
    value = parse_quantity(f"{number}{prefix}{unit}", unit, "x")
    assert math.isclose(value, number * PREFIXES[prefix], rel_tol=1e-15, abs_tol=0.0) or number == value == 0


@pytest.mark.parametrize(
    ("text", "unit", "said"),
    [
        ("200mA", "V", "give it in V"),
        ("200 furlongs", "V", "give it in V"),
        ("2**3 V", "V", "give a number and a unit, such as 200mV"),
        ("", "V", "give a number"),
        ("nan", "V", "give a number"),
        ("inf V", "V", "give a number"),
        ("5 V", "", "pure number"),
        ("__import__", "s", "give a number"),
        ("0x10", "", "give a number"),
        ("1e400 V", "V", "give a number"),
    ],
)
def test_what_is_not_such_a_quantity_is_refused_with_the_parameters_name(text, unit, said):
    with pytest.raises(InputError, match=rf"read voltage is .*{said}"):
        parse_quantity(text, unit, "read voltage")


@given(st.text(max_size=12), st.sampled_from(["V", "s", ""]))
def test_no_text_brings_anything_but_a_finite_number_or_one_clear_error(text, unit):
    with suppress(InputError):
        assert math.isfinite(parse_quantity(text, unit, "x"))
