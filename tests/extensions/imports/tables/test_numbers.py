"""Numbers of tables are plain, finite, and within what cells and benches have; all else is named by its line, soon."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import pytest
from daily import daily
from hypothesis import given
from hypothesis import strategies as st

from mho.errors import InputError
from mho.extensions.imports import TableReading, constants_in_si, guess, import_table
from mho.extensions.imports.tables.form_finding import TextForm
from mho.extensions.imports.tables.numbers import plain_number, plain_numbers, without_overflows
from mho.extensions.imports.tables.units import voltage_above, voltage_in_name
from mho.runs import RunFile

DIGITS = st.text(alphabet="0123456789+-.,eE_ \u0663\u00b2infaIN", max_size=30)
HUGE = st.integers(0, 9).map(lambda digit: str(digit) * 100_000)


@given(DIGITS | HUGE | st.floats().map(str) | st.text(max_size=12))
def test_a_number_is_finite_or_none(text: str):
    value = plain_number(text)
    assert value is None or math.isfinite(value)
    column = plain_numbers([text, "1.5"])
    if column is not None:
        assert column[1] == 1.5
        assert not np.isinf(column).any()
        stripped = text.strip()
        assert math.isnan(column[0]) or column[0] == plain_number(stripped)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_double_in_full_is_that_double(value: float):
    assert plain_number(repr(value)) == value
    assert plain_number(f"{value:.17e}") == value


@pytest.mark.parametrize("comma", [True, False])
@given(text=DIGITS | HUGE)
def test_no_form_makes_an_infinite_number(comma: bool, text: str):
    for grouping in ("", ",", "."):
        value = TextForm("\t", comma, (), (), 1, 1, grouping=grouping).number(text)
        assert value is None or not math.isinf(value)


@pytest.mark.parametrize(
    "text", ["1_000", "1e999", "-1e999", "infinity", "\u0663", "0x10", "1e5_0", "9" * 5_000_000]
)
def test_what_only_python_reads_is_no_number(text: str):
    assert plain_number(text) is None
    assert plain_numbers([text]) is None


def test_what_a_meter_writes_for_an_overflow_is_missing():
    assert np.isnan(without_overflows(np.array([9.9e37, -9.9e37, 9.91e37]))).all()
    assert without_overflows(np.array([1e37, 9.8e37, 1e38])).tolist() == [1e37, 9.8e37, 1e38]


@pytest.mark.parametrize(
    ("header", "value", "said"),
    [
        (
            "G (uS)",
            "-5",
            "line 3: column 'G (uS)' has a conductance of -5e-06 S, which is not between 0 and 1 S",
        ),
        ("G (S)", "1000", "has a conductance of 1000 S, which is not between 0 and 1 S"),
        (
            "G (uS)",
            "9" * 5_000_000,
            "line 3: '999999999999999999999999'… (5000000 characters) in column 'G (uS)' is no",
        ),
        ("G (uS)", "1e999", "'1e999' in column 'G (uS)' is no number"),
        ("G (uS)", "1_0", "'1_0' in column 'G (uS)' is no number"),
        ("R (ohm)", "-200", "line 3: the values make a conductance of -0.005 S"),
        ("R (ohm)", "0.01", "the values make a conductance of 100 S"),
    ],
)
def test_a_value_that_no_cell_has_is_named_by_its_line(tmp_path: Path, header: str, value: str, said: str):
    path = tmp_path / "t.csv"
    path.write_text(
        f"row,col,{header}\n0,0,1e-6\n0,1,{value}\n".replace("1e-6", "5000" if "R" in header else "5e-6")
    )
    with pytest.raises(InputError) as caught:
        import_table(path, tmp_path / "run.h5")
    assert said in str(caught.value)
    assert len(str(caught.value)) < 600
    assert not (tmp_path / "run.h5").exists()


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("V,I\n0,0\n1,2\n", "iv", "line 3: column 'I' has a current of 2 A, which is not between -1 and 1 A"),
        ("V (kV),I\n0,0\n1,1e-6\n", "iv", "column 'V (kV)' has a voltage of 1000 V"),
        ("time (s),G (uS),T (K)\n0,5,300\n1,5,-4\n", "retention", "a temperature of -4 K"),
        ("time,G (uS)\n1700000000000,5\n1700000001000,5\n", "retention", "a time of 1.7e+12 s"),
        ("time (s),G (uS)\n1e307,5\n2,5\n", "retention", "a time of 1e+307 s"),
        ("time (hour),G (uS)\n1e307,5\n2,5\n", "retention", "a time beyond all numbers"),
        ("snr,ber\n1,2\n", "ber", "a ber of 2, which is not between 0 and 1"),
        ("pulse number,G (uS),limited\n1,5,7\n", "response", "a limited of 7, which is not between 0 and 1"),
        ("V,G (uS),pulse_number\n1,5,70000\n", "form", "a pulse of 70000, where 65535"),
        ("time (s),voltage (V),I (uA)\n0,0,1\n1,0,1\n", "noise", "none of 2 lines tells a conductance"),
    ],
)
def test_a_quantity_beyond_its_bounds_is_refused(tmp_path: Path, text: str, kind: str, said: str):
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        import_table(path, tmp_path / "run.h5", type=kind)
    assert said in str(caught.value)


def test_offsets_and_missing_values_are_kept_and_said(tmp_path: Path):
    path = tmp_path / "t.csv"
    path.write_text("row,col,G (uS)\n0,0,5\n0,1,-0.002\n1,0,9.9e37\n1,1,inf\n")
    with RunFile(import_table(path, tmp_path / "run.h5")) as run:
        assert run.table("reads")["conductance"][:2].tolist() == pytest.approx([5e-6, -2e-9])
        assert np.isnan(run.table("reads")["conductance"][2:]).all()
        said = [one.message for one in run.log()]
    assert any(one.startswith("1 conductances are a little below 0") for one in said)
    assert "column 'G (uS)': 2 of 4 values are missing" in said


@given(
    st.text(alphabet="0123456789+-.eE VmuAΩS", max_size=20) | HUGE,
    st.sampled_from(["voltage", "read_voltage", "time"]),
)
def test_a_constant_is_finite_or_refused(text: str, meaning: str):
    try:
        (value,) = constants_in_si({meaning: text}, "--constant").values()
    except InputError:
        return
    assert math.isfinite(value)


@given(st.text(alphabet="0123456789+-.eE @VmuIat()[]_ ", max_size=60))
def test_a_stated_voltage_is_one_at_which_cells_are_read(text: str):
    for volts in (voltage_in_name("I" + text)[1], voltage_above([f"read voltage: {text}"])):
        assert volts is None or 0.0 < abs(volts) <= 200.0


LONG = 300_000


@pytest.mark.parametrize(
    "field",
    ["9" * LONG + "x", "," * LONG, ".9" * LONG, " " * LONG + "9", "(" * LONG, "1" + "e" * LONG, "a" * LONG],
)
@pytest.mark.parametrize("place", daily(["header", "value", "above"], 1))
def test_a_long_field_takes_no_long_time(tmp_path: Path, field: str, place: str):
    lines = {"header": f"row;col;{field}", "above": f"read voltage {field}\nrow;col;G (uS)"}
    value = field if place == "value" else "5"
    path = tmp_path / "t.csv"
    path.write_text(f"{lines.get(place, 'row;col;G (uS)')}\n0;0;{value}\n0;1;6\n1;0;4\n1;1;7\n")
    begun = time.process_time()
    try:
        found = guess(path, TableReading())
        assert found.candidates
    except InputError as error:
        assert len(str(error)) < 2000  # noqa: PT017
    assert time.process_time() - begun < 30.0  # of a quadratic one, minutes
