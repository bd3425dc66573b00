"""Contents of the run file of a multiplication: tables of outputs and their errors, arrays, figures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.chip_maps.multiply_encoding import MultiplyEncoding
from mho.runs import Array, Column, Figure, ReferenceLine, Table
from mho.runs.standard_figures import IDENTITY

_ACTIVE = Column("active", dtype="u2", description="number of active lines")
_EXPECTED = Column("expected", "digit", dtype="i4", description="the digits' exact sum")
_MEASURED = Column("measured", "digit", description="before it is rounded", digital=1e-9)
_INTEGER = Column("integer", dtype="i4", description="measured, rounded")
_ERROR = Column("error", "digit", description="measured - expected", digital=1e-9)
_OUTPUT = (
    Column("column", dtype="u4", description="column of the digits"),
    _ACTIVE,
    _EXPECTED,
    _MEASURED,
    _INTEGER,
    _ERROR,
)
_VECTOR = Column("vector", dtype="u4")


def output_tables(rows: int) -> tuple[Table, ...]:
    """Return the tables of outputs of random patterns, of outputs of the products, and of wrong integers of these."""
    patterns = Table("patterns", _OUTPUT, "measured", "expected", "outputs of random patterns", rows=rows)
    outputs = Table(
        "outputs", (_VECTOR, *_OUTPUT), "measured", "expected", "outputs of the products", rows=rows
    )
    wrong = Table(
        "wrong_integers", (_VECTOR, *_OUTPUT), "error", "expected", "wrong integers of the products", rows=100
    )
    return patterns, outputs, wrong


ACTIVITY = Table(
    "activity",
    (
        _ACTIVE,
        Column("outputs", dtype="u8", description="outputs of random patterns with so many lines active"),
        Column("mean_error", "digit", digital=1e-9),
        Column("sd_error", "digit", description="standard deviation of the error", digital=1e-9),
        Column(
            "sd_in_column", "digit", description="the same within each column, root mean square", digital=1e-9
        ),
        Column("forecast_sd", "digit", description="sd_error as single lines forecast it", digital=1e-9),
        Column(
            "root_law",
            "digit",
            description="sd_error of one line times the root of the number of lines",
            digital=1e-9,
        ),
        Column("wrong", dtype="u8", description="outputs that round to another integer than expected"),
        Column("wrong_rate"),
        Column(
            "enob",
            "bit",
            description="effective bits of a sum of so many lines, from 0 to its largest",
            digital=1e-9,
        ),
    ),
    signal="sd_error",
    axis="active",
    title="errors by number of active lines",
    rows=16,
)

LINEARITY = Table(
    "linearity",
    (
        _EXPECTED,
        Column("outputs", dtype="u8", description="outputs of random patterns with this sum"),
        Column("mean_measured", "digit", digital=1e-9),
        Column("sd_measured", "digit", description="standard deviation", digital=1e-9),
        Column("deviation", "digit", description="mean_measured - (offset + gain * expected)", digital=1e-6),
    ),
    signal="deviation",
    axis="expected",
    title="measured sums by expected sum",
    rows=256,
)

VECTORS = Table(
    "vectors",
    (
        _VECTOR,
        Column("time", "s", description="bench time"),
        Column("shots", dtype="u8", description="patterns played"),
        Column("outputs", dtype="u8", description="integers read"),
        Column("wrong", dtype="u8", description="of these, not the digits' exact sum"),
        Column("relative_error", description="of A x, to float64; NaN where A x is 0", digital=1e-9),
        Column(
            "held_error",
            description="to the product of matrix and vector as held in digits; 0 without wrong integers",
            digital=1e-9,
        ),
    ),
    signal="relative_error",
    axis="vector",
    title="products",
    rows=100,
)


def output_rows(
    patterns: NDArray[np.int64], expected: NDArray[np.int64], measured: Floats, chosen: NDArray[np.int64]
) -> dict[str, NDArray[np.generic]]:
    """Return rows of the tables of outputs.

    Parameters
    ----------
    patterns : (shots, lines) array
    expected, measured : (shots, columns) arrays
        In digits.
    chosen : (k,) array
        Flat indices of the outputs to return.
    """
    shot, column = np.unravel_index(chosen, expected.shape)
    found, exact = measured[shot, column], expected[shot, column]
    return {
        "column": column,
        "active": patterns.sum(axis=1)[shot],
        "expected": exact,
        "measured": found,
        "integer": np.rint(found).astype(np.int64),
        "error": found - exact,
    }


def product_arrays(
    matrix: Floats, vectors: Floats, encoding: MultiplyEncoding, exact: Floats
) -> tuple[Array, ...]:
    """Return matrix, vectors and products; unknown results are NaN."""
    return (
        Array("matrix", matrix, description="A as given, as a real matrix"),
        Array("matrix_held", encoding.matrix, description="A as the digits hold it"),
        Array("digits", encoding.digits, description="digits (lines, columns)"),
        Array("vectors", vectors, description="x, one a row"),
        Array("exact_products", exact, description="A x in float64, one a row", digital=1e-9),
        Array("products", np.full(exact.shape, np.nan), description="A x, one a row", digital=1e-9),
    )


HALF = 0.5  # digit: an error beyond rounds to a wrong integer

FIGURES = (
    Figure(
        "measured_over_expected",
        kind="scatter",
        table="patterns",
        x="expected",
        y="measured",
        lines=(IDENTITY,),
        fit="line",
        title="Sums before rounding",
    ),
    Figure(
        "error_by_active_lines",
        table="activity",
        x="active",
        y=("sd_error", "forecast_sd", "root_law"),
        x_scale="log",
        y_scale="log",
        lines=(ReferenceLine(HALF, label="half a digit"),),
        title="Error against active lines",
    ),
    Figure(
        "enob_by_active_lines",
        table="activity",
        x="active",
        y="enob",
        x_scale="log",
        title="Effective number of bits against active lines",
    ),
    Figure(
        "wrong_by_active_lines",
        kind="share",
        table="activity",
        x="active",
        y=("wrong", "outputs"),
        x_scale="log",
        y_scale="log",
        title="Wrong integers against active lines",
    ),
    Figure(
        "errors_in_patterns",
        kind="distribution",
        table="patterns",
        x="error",
        by="active",
        y_scale="probability",
        lines=(ReferenceLine(x=-HALF), ReferenceLine(x=HALF, label="half a digit")),
        title="Errors of random patterns by active lines",
    ),
    Figure(
        "errors_in_products",
        kind="histogram",
        table="outputs",
        x="error",
        y_scale="log",
        lines=(ReferenceLine(x=-HALF), ReferenceLine(x=HALF, label="half a digit")),
        title="Errors of the products",
    ),
)
