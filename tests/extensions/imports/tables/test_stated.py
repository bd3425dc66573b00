"""Voltages of reads stand in names of columns and above tables; what looks like one and is none is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from mho.extensions.imports import guess
from mho.extensions.imports.extraction import import_measurement
from mho.extensions.imports.tables.units import voltage_above, voltage_in_name
from mho.runs import RunFile

TIMES = (1.0, 3.0, 10.0, 30.0, 100.0)


@pytest.mark.parametrize(
    ("text", "rest", "volts"),
    [
        ("I @ 0.2 V (uA)", "I (uA)", 0.2), ("I(0.1V) [A]", "I [A]", 0.1), ("I_200mV (nA)", "I (nA)", 0.2),
        ("I at Vread=-0.1V", "I", -0.1), ("R (V=0.1V) [Ohm]", "R [Ohm]", 0.1), ("I (V)", "I (V)", None),
        ("I_cycle1 (A)", "I_cycle1 (A)", None), ("0.1 V", "0.1 V", None),
    ],
)  # fmt: skip
def test_names_state_voltages(text: str, rest: str, volts: float | None):
    assert voltage_in_name(text) == (rest, None if volts is None else pytest.approx(volts))


@pytest.mark.parametrize(
    ("line", "volts"),
    [
        ("# Vread = 0.2 V", 0.2), ("Read Voltage (mV),100", 0.1), ("read voltage: 100 mV", 0.1), ("Bias\t0.3", 0.3),
        ("Voltage,0.3 V", 0.3), ("Compliance voltage: 5 V", None), ("Voltage range: 20", None), ("Vread: high", None),
    ],
)  # fmt: skip
def test_lines_above_state_voltages(line: str, volts: float | None):
    assert voltage_above(["Model 2450", line]) == (None if volts is None else pytest.approx(volts))


def test_two_that_differ_state_none():
    assert voltage_above(["Vread = 0.1 V", "Vread = 0.2 V"]) is None


@pytest.mark.parametrize(
    "head",
    ["Time (s),I @ 0.2 V (uA)", "Read voltage: 200 mV\n\nTime (s),I (uA)", "# Vread=0.2V\nTime (s),I (uA)"],
)
def test_a_lone_current_is_a_conductance_then(tmp_path: Path, head: str):
    path = tmp_path / "t.csv"
    path.write_text(head + "\n" + "".join(f"{t},{20 - k}\n" for k, t in enumerate(TIMES)))
    found = guess(path)
    assert (found.best.measurement.name, found.sure) == ("retention", True)
    assert any("read at 0.2 V" in reason for reason in found.best.reasons)
    with RunFile(import_measurement(path, found.best.reading, tmp_path / "t.h5")) as run:
        assert run.table("reads")["conductance"][:2] == pytest.approx([1e-4, 9.5e-5])
        assert "read at 0.2 V" in str(run.parameters["mapping"].value)


def test_a_column_beside_a_voltage_keeps_it(tmp_path: Path):
    path = tmp_path / "t.csv"
    path.write_text(
        "Read voltage: 9 V\n\nTime (s),V (V),I (uA)\n"
        + "".join(f"{t},0.1,{20 - k}\n" for k, t in enumerate(TIMES))
    )
    with RunFile(
        import_measurement(path, guess(path, kinds=["retention"]).best.reading, tmp_path / "t.h5")
    ) as run:
        assert run.table("reads")["conductance"][0] == pytest.approx(2e-4)


def test_columns_at_several_voltages_are_curves_of_their_own(tmp_path: Path):
    path = tmp_path / "t.csv"
    path.write_text("t (s),I@0.1V (uA),I@0.2V (uA)\n" + "".join(f"{t},2,5\n" for t in TIMES))
    with RunFile(
        import_measurement(path, guess(path, kinds=["retention"]).best.reading, tmp_path / "t.h5")
    ) as run:
        reads = run.table("reads")
        assert reads["conductance"][reads["row"] == 0] == pytest.approx([2e-5] * 5)
        assert reads["conductance"][reads["row"] == 1] == pytest.approx([2.5e-5] * 5)
