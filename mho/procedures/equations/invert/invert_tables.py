"""Contents of the run file of bare inversions: tables of inversions, outputs, settling and matrices, arrays, figures."""

from __future__ import annotations

import numpy as np

from mho.chip_maps.matrix_files import from_real_vector
from mho.procedures.equations.invert.settling import KEPT
from mho.procedures.equations.invert.systems import Systems
from mho.runs import Array, Column, Figure, ReferenceLine, Table
from mho.runs.standard_figures import IDENTITY

_MATRIX = Column("matrix", dtype="u4", description="number of the matrix")
_CONDITION = Column("condition", description="condition number of the matrix", digital=1e-6)
_RHS = Column("rhs", dtype="u4", description="number of the right-hand side")
_SCALE = Column("scale", description="largest input, as a share of the full scale")
_ERROR = Column("error", description="relative to the float64 solution of A x = b", digital=1e-9)
_ACHIEVED = Column(
    "achieved_error",
    description="relative to the float64 solution of A0 x = b, A0 as programmed",
    digital=1e-9,
)
_CLAMPED = Column("clamped", dtype="u1", description="1 where an output was in reach of the clamps")


_LAMBDA = Column("lambda_min", description="smallest real part of an eigenvalue of D^-1 G", digital=1e-6)
_SETTLING = Column("settling_time", "s", description="until all outputs stay within the band", digital=1e-6)
_OVERSHOOT = Column("overshoot", description="largest, relative to the largest output's step", digital=1e-6)


def tables(scales: int, matrices: int, vectors: int, size: int, steps: int) -> tuple[Table, ...]:
    """Return the tables for so many input scales, matrices, right-hand sides of `size` elements, and steps of a loop."""
    inversions = scales * matrices * vectors
    return (
        Table(
            "inversions",
            (
                _MATRIX,
                _CONDITION,
                _RHS,
                _SCALE,
                Column("input", "V", description="largest input"),
                Column(
                    "output",
                    "V",
                    description="largest output of any amplifier; NaN where one was in its clamp",
                ),
                _CLAMPED,
                _ERROR,
                _ACHIEVED,
            ),
            signal="error",
            axis="scale",
            title="every inversion",
            rows=inversions,
        ),
        Table(
            "outputs",
            (
                _MATRIX,
                _RHS,
                _SCALE,
                Column("row", dtype="u2", description="element of the solution"),
                Column("expected", "V", description="as A0 gives it", digital=1e-9),
                Column("measured", "V", description="NaN where an output was in its clamp"),
                _CLAMPED,
            ),
            signal="measured",
            axis="expected",
            title="every output",
            rows=inversions * size,
        ),
        Table(
            "solutions",
            (
                _MATRIX,
                _CONDITION,
                _RHS,
                _SCALE,
                _ERROR,
                _ACHIEVED,
                Column("bits", description="-log2 error", digital=1e-6),
            ),
            signal="error",
            axis="condition",
            title="of each right-hand side the largest input that clamps no output",
            rows=matrices * vectors,
        ),
        Table(
            "matrices",
            (
                _MATRIX,
                _CONDITION,
                Column("expected_rho", description="rho before programming, a median", digital=1e-6),
                Column("forecast_rho", description="rho(I - A A0^-1) of A0 as programmed", digital=1e-6),
                _LAMBDA,
                Column(
                    "mean_error", description="of its solutions; NaN where the loop gave none", digital=1e-9
                ),
                Column("mean_achieved_error", digital=1e-9),
                Column("bits", description="-log2 mean_error", digital=1e-6),
                Column("gain_error", description="of the outputs, beside A0", digital=1e-6),
                Column("offset", "V", description="of the outputs", digital=1e-6),
                _SETTLING,
                _OVERSHOOT,
                Column("cells_failed", dtype="u4"),
            ),
            signal="mean_error",
            axis="condition",
            title="matrices",
            rows=matrices,
        ),
        Table(
            "settling",
            (
                _MATRIX,
                _CONDITION,
                _RHS,
                _SCALE,
                _LAMBDA,
                Column("inverse_lambda_min", description="1 / lambda_min", digital=1e-6),
                _SETTLING,
                _OVERSHOOT,
                Column(
                    "one_pole", "s", description="the same of the slowest mode, were it alone", digital=1e-6
                ),
            ),
            signal="settling_time",
            axis="inverse_lambda_min",
            title="steps of the inputs",
            rows=matrices * min(vectors, steps),
        ),
        Table(
            "waveforms",
            (
                _MATRIX,
                _CONDITION,
                _RHS,
                Column("time", "s", description="after the step", digital=1e-6),
                Column("scaled_time", "s", description="lambda_min time", digital=1e-6),
                Column("output", "V", description="the one with the largest step", digital=1e-6),
                Column("response", description="output as a share of its step", digital=1e-6),
                Column(
                    "deviation",
                    description="largest of any output from where it settles, as a share of that step",
                    digital=1e-6,
                ),
            ),
            signal="response",
            axis="time",
            series="matrix",
            title="the loops with the smallest and the largest lambda_min",
            rows=2 * KEPT if steps else 0,
        ),
    )


def loop_arrays(systems: Systems) -> tuple[Array, ...]:
    """Return the matrix as given, unless made; the matrices (count, n, n), as programmed too; the right-hand sides."""
    matrices = systems.matrices
    given = () if systems.given is None else (Array("matrix", systems.given, description="A as given"),)
    is_complex = systems.given is not None and np.iscomplexobj(systems.given)
    rhs = from_real_vector(systems.rhs) if is_complex else systems.rhs
    return (
        *given,
        Array("matrices", matrices, description="A of each matrix, as a real one", digital=1e-9),
        Array(
            "matrices_achieved",
            np.full(matrices.shape, np.nan),
            description="A0, what INV inverts",
            digital=1e-9,
        ),
        Array("rhs", rhs, description="b, one a row"),
    )


FIGURES = (
    Figure(
        "error_by_scale",
        kind="errorbars",
        table="inversions",
        x="scale",
        y="error",
        by="condition",
        x_scale="log",
        y_scale="log",
        title="Error of A x = b against input scale, by condition number",
    ),
    Figure(
        "achieved_error_by_scale",
        kind="errorbars",
        table="inversions",
        x="scale",
        y="achieved_error",
        by="condition",
        x_scale="log",
        y_scale="log",
        title="Error beside A0 against input scale, by condition number",
    ),
    Figure(
        "error_by_condition",
        kind="errorbars",
        table="solutions",
        x="condition",
        y=("error", "achieved_error"),
        x_scale="log",
        y_scale="log",
        title="Error against condition number",
    ),
    Figure(
        "outputs",
        kind="scatter",
        table="outputs",
        x="expected",
        y="measured",
        by="matrix",
        lines=(IDENTITY,),
        title="Outputs, measured against expected of A0",
    ),
    Figure(
        "settling_time",
        kind="errorbars",
        table="settling",
        x="inverse_lambda_min",
        y=("settling_time", "one_pole"),
        x_scale="log",
        y_scale="log",
        title="Settling time against 1 / lambda_min",
    ),
    Figure(
        "waveforms",
        table="waveforms",
        x="time",
        y="response",
        by=("matrix", "condition"),
        x_scale="log",
        lines=(ReferenceLine(1.0, label="settled"),),
        title="Output with the largest step, smallest and largest lambda_min",
    ),
    Figure(
        "deviations",
        table="waveforms",
        x="scaled_time",
        y="deviation",
        by=("matrix", "condition"),
        y_scale="log",
        lines=(ReferenceLine("settling_band", label="band"),),
        title="Distance from the settled outputs against time x lambda_min",
    ),
)
