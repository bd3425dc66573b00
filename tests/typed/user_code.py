"""What an author of scientific Python writes with mho, in types that mypy --strict and pyright check without an error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import mho
from mho import (
    BooleanParameter,
    Cell,
    Column,
    Figure,
    FloatParameter,
    IntegerParameter,
    Layout,
    ListParameter,
    Parameter,
    Procedure,
    Pulse,
    Table,
)
from mho.extensions import linalg
from mho.procedures import Stream

CELL = Cell("multiply", 0, 0)
FORM, RESET = Pulse("set", 4.0, 1e-6, 1.6), Pulse("reset", 3.0, 1e-7, 2.8)


@dataclass(frozen=True)
class Windows:
    """What `Cycling` returns."""

    on: tuple[float, str]
    off: tuple[float, str]
    window: float


@dataclass(frozen=True)
class Plan:
    set: Pulse
    cycles: NDArray[np.int64]


class Cycling(Procedure[Windows]):
    """SET and RESET one cell again and again, reading after each."""

    cycles = IntegerParameter("Cycles", default=10, minimum=1)
    gate = FloatParameter("Word line of a SET", units="V", default=1.8, minimum=0.0, maximum=4.0)
    width = FloatParameter("Width of a SET, 100 ns unless given", units="s", minimum=1e-9, maximum=1e-3)
    first = ListParameter("First pulse", choices=["set", "reset"], default="reset")
    formed = BooleanParameter("The cell is formed already", default=False)
    label = Parameter("Label", default="cycling")
    sample = Parameter("Sample")
    worst: float = np.inf

    def check(self) -> NDArray[np.int64]:
        if not self.label.isidentifier():
            raise mho.MhoError(f"label is {self.label!r}; give one word")
        return np.arange(self.cycles)

    def prepare(self, given: NDArray[np.int64], bench: mho.Bench, rng: np.random.Generator) -> Plan:
        width = 1e-7 if self.width is None else self.width
        return Plan(bench.check_pulse(Pulse("set", 3.0, width, self.gate)), given)

    def layout(self, plan: Plan) -> Layout:
        columns = Column("cycle", dtype="u4"), Column("state", dtype="u1"), Column("conductance", "S")
        figure = Figure("cycling", table="cycling", x="cycle", y="conductance", by="state", y_scale="log")
        return Layout((Table("cycling", columns),), figures=(figure,))

    def execute(self, plan: Plan, bench: mho.Bench, stream: Stream) -> Windows:
        if not self.formed:
            bench.pulse(CELL, FORM)
        pulses = [RESET, plan.set] if self.first == "reset" else [plan.set, RESET]
        read = np.zeros((self.cycles, 2))
        for cycle in range(self.cycles):
            for state, pulse in enumerate(pulses):
                bench.pulse(CELL, pulse)
                read[cycle, state] = bench.read(CELL)
                stream.record("cycling", cycle=cycle, state=state, conductance=read[cycle, state])
            stream.progress("cycling", cycle + 1, self.cycles)
        off, on = sorted(np.median(read, axis=0).tolist())
        self.worst = min(self.worst, on / off)
        return Windows((on, "S"), (off, "S"), on / off)


class Short(Procedure):
    """A procedure that says nothing of its types: it is allowed, and its result is anything."""

    repeats = IntegerParameter("Repeats", default=3, minimum=1)

    def layout(self, plan: object) -> Layout:
        return Layout((Table("reads", (Column("conductance", "S"),)),))

    def execute(self, plan: object, bench: mho.Bench, stream: Stream) -> Mapping[str, object]:
        for _ in range(self.repeats):
            stream.record("reads", conductance=bench.read(CELL))
        return {"reads": self.repeats}


def windows_by_gate(folder: Path, gates: tuple[float, ...] = (1.6, 1.8)) -> dict[float, float]:
    """Sweep a parameter of one's own procedure, each run on a chip of its own."""
    found: dict[float, float] = {}
    for number, gate in enumerate(gates):
        cycling = Cycling(cycles=3)
        cycling.gate = gate
        result = mho.run(cycling, seed=number, output=folder / f"{cycling.label}{number}.h5")
        found[gate] = result.window
    return found


def mean_conductance(folder: Path) -> float:
    with mho.open_bench("simulated", seed=1) as bench:
        bench.pulse(CELL, FORM)
        reads = mho.run(mho.Read(rows="0:2", columns="0:2", repeats=2), bench, output=folder)
    spread: NDArray[np.float64] = reads.deviation
    assert spread.shape == reads.conductance.shape
    assert reads.path is not None
    assert reads.path.exists()
    return float(np.nanmean(reads.conductance))


def currents_of_loops(folder: Path) -> Iterator[float]:
    sweeps = mho.run(
        mho.IV(rows="0", columns="0", highest=1.0, lowest=-1.0, step=0.25), seed=2, output=folder
    )
    yield float(np.nanmax(sweeps.currents[..., sweeps.voltages > 0.0]))


def accuracy_of_solutions(folder: Path) -> list[float]:
    """Solve by the procedure, in one call, and as NumPy does."""
    rng = np.random.default_rng(7)
    matrix = np.eye(4) + 0.1 * rng.standard_normal((4, 4))
    rhs = matrix @ np.ones(4)
    solve = mho.Solve(matrix=matrix, rhs=rhs, bits=20)
    solve.max_cycles = 30
    by_procedure = mho.run(solve, "arrays", seed=1, output=folder)
    in_one_call = mho.solve(matrix, rhs, bits=20, bench="arrays", seed=1, output=folder)
    assert by_procedure.converged
    assert in_one_call.certificate.bits >= 20
    like_numpy = np.asarray(linalg.solve(matrix, rhs, bench="arrays", bits=20, seed=1))
    answers = by_procedure.solution, in_one_call.solution, like_numpy
    return [float(np.abs(one - 1.0).max()) for one in answers]


def solutions_with_one_matrix() -> NDArray[np.float64]:
    matrix = np.array([[2.0, 0.5], [0.5, 1.0]])
    with mho.open_bench("arrays", seed=3) as bench:
        held = linalg.on_bench(matrix, bench, bits=20, seed=0)
        return np.stack([held.solve(rhs) for rhs in np.eye(2)])


def table_of_runs(folder: Path) -> list[tuple[str, int]]:
    rows = [(run.path.name, len(run.result)) for run in mho.open_runs(folder)]
    with mho.open_run(folder / "cycling0.h5") as run:
        assert run.result["window"] > 1.0
    return rows


def main(folder: Path) -> None:
    assert len(windows_by_gate(folder)) == 2
    assert mean_conductance(folder) > 0.0
    assert next(currents_of_loops(folder)) > 0.0
    assert max(accuracy_of_solutions(folder)) < 1e-5
    assert np.allclose(solutions_with_one_matrix() @ np.array([[2.0, 0.5], [0.5, 1.0]]), np.eye(2), atol=1e-5)
    assert mho.run(Short(), seed=1, output=folder)["reads"] == 3
    assert len(table_of_runs(folder)) >= 6
