"""The parameters of a result with their intervals, as the run declared them."""

from __future__ import annotations

from mho.extensions.report_pages import Extracted, extracted
from mho.extensions.report_pages.characterisation_page import headline

RESULT = {
    "cells": 4,
    "lrs": {"median": 2e-5, "median_low": 1e-5, "median_high": 3e-5},
    "window": 50.0,
    "window_low": None,
    "window_high": 60.0,
    "switched": True,
    "lines": ["row 3 is open"],
    "wall_seconds": 1.0,
    "virtual_seconds": 2.0,
    "run_file": "a.h5",
}
UNITS = {"lrs.median": "S"}


def test_a_parameter_has_its_interval_and_its_unit() -> None:
    assert extracted(RESULT, UNITS) == (
        Extracted("cells", 4, None, None, ""),
        Extracted("lrs.median", 2e-5, 1e-5, 3e-5, "S"),
        Extracted("window", 50.0, None, 60.0, ""),
        Extracted("switched", "yes", None, None, ""),
    )


def test_an_end_without_its_parameter_is_a_parameter() -> None:
    assert [one.name for one in extracted({"level_low": 1.0, "too_high": 2.0}, {})] == [
        "level_low",
        "too_high",
    ]


def test_the_first_table_has_the_parameters_that_a_device_is_known_by() -> None:
    found = extracted(RESULT, UNITS)
    assert [words for words, _ in headline("Switching", found)] == [
        "LRS by pulses, median", "window by pulses, median of LRS/HRS",
    ]  # fmt: skip
    levels = extracted({"level_3": {"drift": 1e-7}, "level_12": {"drift": None}}, {})
    assert [words for words, _ in headline("Retention", levels)] == [
        "drift of level 3 per decade of time, mean"
    ]
    assert not list(headline("Somebodys", found))
