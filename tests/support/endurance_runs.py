"""Runs of cycle x row x column, with a ragged column, a map over time and arrays, as small as they can be."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mho.runs import Array, Column, Layout, Map, RecordedParameter, RunHeader, RunWriter, Table

CYCLES, ROWS, COLUMNS = (1, 10, 100), (0, 1), (4, 5, 6)
POINTS = np.array([(cycle, row, column) for cycle in CYCLES for row in ROWS for column in COLUMNS])

TABLE = Table(
    "endurance",
    (
        Column("time", "s"),
        Column("cycle", dtype="u4"),
        Column("row", dtype="u2"),
        Column("column", dtype="u2"),
        Column("conductance", "S", description="read after the cycle"),
        Column("trace", "A", shape=(4,), ragged=True),
        Column("counts", dtype="i4", shape=(3,), ragged=True),
    ),
    "conductance",
    "time",
)


def conductances(seed: int) -> np.ndarray:
    """Return those of all points (cycle, row, column), S."""
    return 1e-6 * np.random.default_rng(seed).normal(20.0, 1.0, (3, 2, 3))


def endurance_run(
    path: Path, seed: int = 1, preset: str = "pku", points: int = 18, title: str = "Endurance"
) -> Path:
    """Write a run whose table has so many `points` of the grid."""
    layout = Layout(
        (TABLE,),
        (Map("final", "S", np.arange(2), np.arange(4, 7)),),
        (
            Array("matrix", np.arange(6.0).reshape(2, 3), "S", "wanted"),
            Array("complex", np.array([1 + 2j, 3])),
        ),
    )
    header = RunHeader(
        title,
        "Endurance",
        "1",
        {"amplitude": RecordedParameter(0.1 * seed, "V", "Amplitude")},
        provenance={"seed": str(seed), "preset": preset},
    )
    with RunWriter.create(path, header, layout) as run:
        for point in range(points):
            cycle, row, column = map(int, POINTS[point])
            length = point % 4 + 1
            run.emit(
                "endurance",
                time=point * 0.1 * seed,
                cycle=cycle,
                row=row,
                column=column,
                conductance=conductances(seed).reshape(-1)[point],
                trace=np.arange(float(length)),
                counts=np.full(min(length, 3), 7),
            )
        for time in range(3):
            run.snapshot("final", conductances(seed)[time], time=float(time * seed))
        run.set_result({"worst": seed * 1e-6, "good": True}, {"worst": "S"})
    return path
