"""What this machine does, measured and laid out for a run file: table, figures, readings, and what is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mho.extensions.projection.measured.digital_measurement import (
    EFFORT,
    SIZES,
    MeasurementEffort,
    SolveMeasurement,
    measure,
)
from mho.extensions.projection.measured.libraries import METHODS, Lapack, SolverLibrary, find_gpu
from mho.extensions.projection.measured.power import EnergyMeter, cpu_meter, gpu_meter
from mho.extensions.projection.readings import NamedReading
from mho.runs import Column, Figure, Table, processor

DEVICES = ("CPU", "GPU")

MEASURED_TABLE = Table(
    "measured",
    (
        Column("size", dtype="u4", description="N, unknowns"),
        Column("device", dtype="u1", description="0 CPU; 1 GPU"),
        Column("method", dtype="u1",
               description="0 Cholesky, new A; 1 LU, new A; 2 A kept, product with its inverse"),
        Column("precision", "bit", dtype="u1", description="of a floating-point number"),
        Column("batch", dtype="u4", description="solves at once"),
        Column("time", "s", description="of a solve, in the mean over a batch"),
        Column("rate", "1/s", description="solves a second"),
        Column("energy", "J", description="of a solve; NaN where no counter is"),
        Column("residual", description="largest of the batch, relative"),
    ),
    signal="rate", axis="size", title="solves on this machine", rows=64,
)  # fmt: skip

MEASURED_FIGURES = tuple(
    Figure(
        f"measured_{name}", table="measured", x="size", y=name, by=("device", "method", "precision"), x_scale="log",
        y_scale="log", title=title,
    )
    for name, title in (
        ("rate", "Solves a second, measured on this machine"),
        ("energy", "Energy of a solve, measured on this machine"),
    )
)  # fmt: skip

WORDS = {"Cholesky": "new A, Cholesky", "LU": "new A, LU", "kept": "A kept"}


@dataclass(frozen=True)
class MachineMeasurements:
    """What was measured of this machine."""

    points: Sequence[SolveMeasurement]
    names: Mapping[str, str]
    remarks: Sequence[str]

    @property
    def columns(self) -> dict[str, Any]:
        """The columns of the table."""
        points = self.points
        return {
            "size": [one.size for one in points], "device": [DEVICES.index(one.device) for one in points],
            "method": [METHODS.index(one.method) for one in points],
            "precision": [one.precision for one in points], "batch": [one.batch for one in points],
            "time": [one.seconds for one in points], "rate": [1.0 / one.seconds for one in points],
            "energy": [one.joules for one in points], "residual": [one.residual for one in points],
        }  # fmt: skip

    @property
    def result(self) -> dict[str, Any]:
        """What goes into the run's result."""
        return {
            "measured_on": [self.names[one] for one in sorted(self.names)],
            "not_measured": list(self.remarks),
        }

    @property
    def readings(self) -> dict[int, list[NamedReading]]:
        """Readings in FP32 by size, to stand beside those of data sheets."""
        found: dict[int, list[NamedReading]] = {}
        for one in self.points:
            if one.precision == 32:
                key = f"measured_{one.device}_{one.method}".lower()
                words = f"this {one.device}, {WORDS[one.method]}, measured"
                found.setdefault(one.size, []).append(NamedReading(key, words, 1.0 / one.seconds, one.joules))
        return found


def measure_machine(
    rng: np.random.Generator, *, sizes: Sequence[int] = SIZES, effort: MeasurementEffort = EFFORT,
    gpu: Callable[[], SolverLibrary | str] = find_gpu, gpu_energy: Callable[[], EnergyMeter | str] = gpu_meter,
    cpu_energy: Callable[[], EnergyMeter | str] = cpu_meter,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> MachineMeasurements:  # fmt: skip
    """Measure this machine's LAPACK, and its CUDA GPU if there is one.

    Raises
    ------
    InputError
        A library gives wrong answers.
    """
    remarks: list[str] = []
    names: dict[str, str] = {}
    points: list[SolveMeasurement] = []
    libraries: Sequence[tuple[str, SolverLibrary | str, Callable[[], EnergyMeter | str]]] = (
        ("CPU", Lapack(processor()), cpu_energy),
        ("GPU", gpu(), gpu_energy),
    )
    for device, library, energy in libraries:
        if isinstance(library, str):
            remarks.append(library)
            continue
        meter = energy()
        if isinstance(meter, str):
            remarks.append(meter)
        names[device] = library.name

        def told(done: int, total: int, name: str = library.name) -> None:
            progress(name, done, total)

        counted = None if isinstance(meter, str) else meter
        try:
            points += measure(library, device, counted, rng, sizes=sizes, effort=effort, progress=told)
        except (RuntimeError, MemoryError) as error:  # of torch and CUDA: no memory left, a kernel that fails
            remarks.append(f"{library.name} is not measured: {str(error).partition(chr(10))[0]}")
    return MachineMeasurements(points, names, remarks)
