"""The benchmark of numbers from nothing, at a small size: no experiment tells anything of cells that tell nothing."""

from __future__ import annotations

import pytest

from benchmarks import extraction


@pytest.fixture(autouse=True)
def fewer_cells(monkeypatch):
    for name in ("ROWS", "COLUMNS"):
        monkeypatch.setattr(extraction, name, 4)
    monkeypatch.setattr(extraction, "CELLS", {"rows": "0:4", "columns": "0:4"})


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("preset", "kind"),
    [
        ("pku", extraction.FRESH),
        ("relaxing", extraction.OFF),
        ("pku", extraction.ON),
        ("stanford", extraction.FRESH),
        ("stanford", extraction.ON),
    ],
)
def test_nothing_is_told_of_cells_that_tell_nothing(preset, kind, tmp_path):
    found = extraction.from_nothing(preset, kind, 1, tmp_path)
    assert set(found) >= set(extraction.SWITCHING) - {"form"}
    assert {name: numbers for name, numbers in found.items() if numbers} == {}


@pytest.mark.thorough
def test_of_formed_cells_most_is_told_and_it_is_the_chip_s_own(tmp_path):
    found = extraction.from_formed("pku", 1, tmp_path)
    assert all(known >= 0.6 * asked for known, asked in found.values())
    assert extraction.hrs_error("pku", 1, tmp_path) < 0.05


def test_what_a_result_claims_is_counted():
    said = {
        "cells": 4,
        "lrs": None,
        "v_set": 1.0,
        "sets": 0,
        "level_3": {"drift": 2.0},
        "not_extracted": {"lrs": "why"},
    }
    assert extraction.claims(said) == {"lrs": None, "v_set": 1.0, "level_3.drift": 2.0}
