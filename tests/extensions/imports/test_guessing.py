"""A foreign table is taken for what it is, by names, units and shapes of its columns."""

from __future__ import annotations

from pathlib import Path

import pytest
from foreign_tables import TABLES

from mho.errors import InputError
from mho.extensions.imports import TableReading, guess


def table(folder: Path, text: str, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", TABLES)
def test_each_kind_is_recognised_without_a_name_that_tells(tmp_path: Path, kind: str):
    found = guess(table(tmp_path, TABLES[kind]()))
    assert found.best.measurement.name == kind
    assert found.best.reasons
    if kind != "reads":  # of a matrix, nothing says what its numbers are
        assert found.sure, [(one.measurement.name, one.score) for one in found.candidates[:3]]


def test_wide_tables_have_a_series_a_column(tmp_path: Path):
    text = "V,I_cycle1 (uA),I_cycle2 (uA)\n" + "".join(
        f"{0.05 * k},{k},{2 * k}\n" for k in [*range(20), *range(20, 0, -1)]
    )
    found = guess(table(tmp_path, text))
    assert (found.best.measurement.name, found.sure) == ("iv", True)
    assert found.best.assignment is not None
    assert [one.fixed for one in found.best.assignment.series] == [{"cycle": 1.0}, {"cycle": 2.0}]


def test_a_current_alone_tells_no_conductance(tmp_path: Path):
    path = table(tmp_path, "time (s),I (nA)\n" + "".join(f"{k},10\n" for k in range(50)))
    found = guess(path)
    assert found.best.assignment is None
    assert "say --constant voltage=0.1V" in found.best.reasons[0]
    found = guess(path, TableReading("", constants={"voltage": 0.1}))
    assert found.best.measurement.name == "noise"


def test_a_conductance_no_cell_has_is_remarked(tmp_path: Path):
    found = guess(table(tmp_path, "row,col,G\n0,0,12\n0,1,13\n1,0,11\n1,1,9\n"))
    assert "12.0" not in found.remarks[0]
    assert "say --unit conductance=uS" in found.remarks[0]
    bare = guess(table(tmp_path, "12,13,14\n11,10,9\n8,7,6\n"), kinds=["reads"])
    assert bare.best.assignment is None or not bare.sure


def test_pulses_are_numbered_or_named(tmp_path: Path):
    numbered = guess(table(tmp_path, "pulse,G (uS)\n" + "".join(f"{k},{k + 5}\n" for k in range(1, 30))))
    assert numbered.best.measurement.name == "response"
    named = guess(table(tmp_path, "pulse,row,col,R\nset,0,0,1e4\nreset,0,0,1e5\nset,0,0,1e4\n"))
    assert named.best.measurement.name == "program"


def test_columns_without_names_are_told_by_shape_only(tmp_path: Path):
    volts = [0.05 * k for k in [*range(20), *range(20, 0, -1)]]
    found = guess(table(tmp_path, "".join(f"{v:.2f} {1e-6 * v:.3e}\n" for v in volts)))
    assert found.best.measurement.name == "iv"
    assert found.best.reading.columns == {"voltage": "1", "current": "2"}


def test_a_header_alone_is_no_table(tmp_path: Path):
    with pytest.raises(InputError, match="no line of values"):
        guess(table(tmp_path, "V,I\n"))


def test_two_columns_that_seem_to_be_the_same_are_said(tmp_path: Path):
    found = guess(table(tmp_path, "V,I,current\n" + "".join(f"{0.1 * k},{k},{k}\n" for k in range(20))))
    assert "both seem to be current" in found.best.reasons[0]
