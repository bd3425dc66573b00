"""Classes of cells by what they conduct, and lines that are told as lines: functions of arrays."""

from __future__ import annotations

import numpy as np
import pytest

from mho.procedures.cells.reading.contact import (
    GOOD,
    LEAKY,
    OPEN,
    SHORT,
    UNFORMED,
    Thresholds,
    broken_lines,
    classify,
    in_lines,
)

BOUNDS = Thresholds(open_below=0.1e-9, formed_above=0.1e-6, short_above=90e-6, leaky_above=5e-9)
LINES = np.arange(10)


@pytest.mark.parametrize(
    ("on", "off", "limited", "what"),
    [
        (28e-6, 0.0, False, GOOD),
        (0.3e-6, 0.0, False, GOOD),
        (1e-9, 0.0, False, UNFORMED),
        (0.05e-9, 0.0, False, OPEN),
        (-0.2e-9, 0.0, False, OPEN),
        (100e-6, 0.0, False, SHORT),
        (50e-6, 0.0, True, SHORT),
        (np.nan, 0.0, False, SHORT),
        (28e-6, 1e-8, False, LEAKY),
        (28e-6, np.nan, False, LEAKY),
        (1e-9, 1e-8, False, LEAKY),
    ],
)
def test_a_cell_is_classed(on, off, limited, what):
    assert classify(np.array([on]), np.array([off]), np.array([limited]), BOUNDS).tolist() == [what]


def image(**of: tuple) -> np.ndarray:
    classes = np.full((10, 10), GOOD)
    for place in of.values():
        classes[place] = OPEN
    return classes


def told(classes: np.ndarray) -> list[str]:
    return [str(line) for line in broken_lines(classes, LINES, LINES)]


def test_a_whole_line_is_told_once_and_its_cells_are_in_it():
    classes = image(line=(slice(None), 4))
    assert told(classes) == ["column 4 (source line) is open"]
    assert in_lines(broken_lines(classes, LINES, LINES), LINES, LINES, OPEN).sum() == 10
    assert told(image(line=(3, slice(None)))) == ["row 3 (bit line) is open"]


def test_a_line_that_breaks_in_the_middle_is_told_from_there():
    assert told(image(line=(3, slice(6, 10)))) == ["row 3 (bit line) is open from column 6 to 9"]
    assert told(image(line=(slice(0, 5), 2))) == ["column 2 (source line) is open from row 0 to 4"]


def test_a_few_cells_and_a_stretch_in_the_middle_are_no_line():
    assert told(image(few=(3, slice(7, 10)), middle=(slice(3, 7), 5), one=(0, 0))) == []


def test_open_rows_do_not_make_all_columns_broken():
    classes = image(rows=(slice(0, 4), slice(None)))
    assert told(classes) == [f"row {row} (bit line) is open" for row in range(4)]
    crossing = image(row=(5, slice(None)), column=(slice(None), 5))
    assert told(crossing) == ["row 5 (bit line) is open", "column 5 (source line) is open"]


def test_shorted_and_leaky_lines_are_told_too_and_unformed_ones_are_not():
    classes = np.full((10, 10), UNFORMED)
    classes[2], classes[:, 7] = SHORT, LEAKY
    assert told(classes) == [
        "row 2 (bit line) is short from column 0 to 6",
        "column 7 (source line) is leaky",
    ]


def test_lines_have_the_numbers_of_the_chip():
    classes = np.full((4, 5), GOOD)
    classes[1] = OPEN
    assert [str(line) for line in broken_lines(classes, np.array([2, 8, 9, 30]), np.arange(60, 65))] == [
        "row 8 (bit line) is open"
    ]
