"""How fast and with what energy a processor really solves small systems: batches of new matrices, and a stored inverse.

It is laid out for a run file: table, figures, readings, and what is missing.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.errors import InputError
from mho.extensions.projection.measured.libraries import (
    KEPT,
    METHODS,
    EnergyMeter,
    Floats,
    Lapack,
    SolverLibrary,
    Work,
    cpu_meter,
    find_gpu,
    gpu_meter,
)
from mho.extensions.projection.readings import NamedReading
from mho.runs import Column, Figure, Table, processor

SIZES = (4, 8, 16, 32, 64, 128, 256)
DTYPES = {32: np.float32, 64: np.float64}
LARGEST_BATCH = 1 << 16
# Relative residual beyond which an answer is wrong and its time means nothing; condition numbers are near 5
TOLERANCE = {32: 1e-4, 64: 1e-11}
Clock = Callable[[], float]


@dataclass(frozen=True)
class SolveMeasurement:
    """One measured solve."""

    device: str
    size: int
    precision: int
    method: str
    batch: int
    seconds: float
    joules: float
    residual: float


@dataclass(frozen=True)
class MeasurementEffort:
    """How long each point is measured, s: at least so long in all, and so long for the energy, whose counters are slow."""

    timing: float = 0.05
    energy: float = 0.5
    repeats: int = 5


EFFORT = MeasurementEffort()


def measure(
    library: SolverLibrary, device: str, meter: EnergyMeter | None, rng: np.random.Generator, *,
    sizes: Sequence[int] = SIZES, effort: MeasurementEffort = EFFORT, clock: Clock = time.perf_counter,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[SolveMeasurement]:  # fmt: skip
    """Return what a library does on its processor, at each size, precision and method.

    Raises `InputError`: an answer is wrong: the library or the processor does not work.
    """
    cases = [
        (size, bits, method)
        for size in sizes for bits in DTYPES for method in METHODS if method in library.methods
    ]  # fmt: skip
    points = []
    for done, (size, bits, method) in enumerate(cases):
        progress(done, len(cases))
        points.append(_point(library, device, meter, rng, size, bits, method, effort, clock))
    return points


def _point(
    library: SolverLibrary, device: str, meter: EnergyMeter | None, rng: np.random.Generator, size: int, bits: int,
    method: str, effort: MeasurementEffort, clock: Clock,
) -> SolveMeasurement:  # fmt: skip
    matrices, vectors, exact = systems(size, bits, method, library, rng)
    work = library.work(method, matrices, vectors)
    batch = vectors.shape[1] if method == KEPT else len(vectors)
    residual = largest_residual(exact, library.answer(work()), vectors)
    if not residual < TOLERANCE[bits]:
        raise InputError(
            f"{library.name}: {method} of {size} x {size} in FP{bits} leaves a residual of {residual:.1e}, which is wrong; "
            "nothing that it does is measured"
        )
    seconds = _seconds(work, effort, clock)
    joules = np.nan if meter is None else _joules(work, meter, effort, clock)
    return SolveMeasurement(device, size, bits, method, batch, seconds / batch, joules / batch, residual)


def systems(
    size: int, bits: int, method: str, library: SolverLibrary, rng: np.random.Generator
) -> tuple[Floats, Floats, Floats]:
    """Return matrices (or the inverse that is kept), vectors, and the matrices as they were; positive definite ones.

    Each is a Gram matrix of a channel with 8 times as many antennas, as massive MIMO has them, over its mean diagonal.
    """
    dtype = DTYPES[bits]
    of_each = size * (1 if method == KEPT else size) * (bits // 8)
    length = int(np.clip(library.largest // of_each, 1, library.longest if method == KEPT else LARGEST_BATCH))
    distinct = 1 if method == KEPT else min(length, 64)
    channels = rng.standard_normal((distinct, 8 * size, size))
    exact = np.swapaxes(channels, 1, 2) @ channels / (8 * size)
    if method == KEPT:
        vectors = rng.standard_normal((size, length)).astype(dtype)
        return np.ascontiguousarray(np.linalg.inv(exact[0]).astype(dtype)), vectors, exact[0]
    matrices = np.ascontiguousarray(np.resize(exact, (length, size, size)).astype(dtype))
    return matrices, rng.standard_normal((length, size, 1)).astype(dtype), matrices.astype(np.float64)


def largest_residual(exact: Floats, answers: Floats, vectors: Floats) -> float:
    """Return the largest ``||b - A x|| / ||b||`` of a batch, in float64."""
    left = vectors.astype(np.float64) - exact @ answers.astype(np.float64)
    norms: NDArray[Any] = np.linalg.norm(left, axis=-2) / np.linalg.norm(vectors.astype(np.float64), axis=-2)
    return float(np.max(norms))


def _seconds(work: Work, effort: MeasurementEffort, clock: Clock) -> float:
    """Return the median time of the work, s; often enough that a clock's step does not matter."""
    times: list[float] = []
    while len(times) < effort.repeats or sum(times) < effort.timing:
        begun = clock()
        work()
        times.append(clock() - begun)
    return statistics.median(times)


def _joules(work: Work, meter: EnergyMeter, effort: MeasurementEffort, clock: Clock) -> float:
    """Return the energy of the work, J, in the mean over a stretch that counters resolve."""
    before, begun, count = meter.joules(), clock(), 0
    while count == 0 or clock() - begun < effort.energy:
        work()
        count += 1
    return (meter.joules() - before) / count


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
        readings: dict[int, list[NamedReading]] = {}
        for one in self.points:
            if one.precision == 32:
                key = f"measured_{one.device}_{one.method}".lower()
                words = f"this {one.device}, {WORDS[one.method]}, measured"
                readings.setdefault(one.size, []).append(
                    NamedReading(key, words, 1.0 / one.seconds, one.joules)
                )
        return readings


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

        def report(done: int, total: int, name: str = library.name) -> None:
            progress(name, done, total)

        counted = None if isinstance(meter, str) else meter
        try:
            points += measure(library, device, counted, rng, sizes=sizes, effort=effort, progress=report)
        except (RuntimeError, MemoryError) as error:  # of torch and CUDA: no memory left, a kernel that fails
            remarks.append(f"{library.name} is not measured: {str(error).partition(chr(10))[0]}")
    return MachineMeasurements(points, names, remarks)
