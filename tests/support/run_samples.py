"""Run files as `mho.procedures.Solve` lays them out, made in milliseconds; as a program, one written step by step.

``run_samples.py PATH`` writes a run to PATH and obeys the words on its standard input: ``plan``, ``half``,
``program``, ``forecast``, ``cycle``, ``finish``, ``abort``; after each it flushes and says ``done``.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np

from mho.chip_maps.chip import parse_chip_map, read_chip_text
from mho.errors import Aborted
from mho.runs import Array, Column, Layout, Map, RecordedParameter, RunHeader, RunWriter, Status, Table
from mho.runs.integrity.seal import SEAL, prepare_seal, write_seal

CHIP = read_chip_text("reference")
BENCH = 'name = "simulated"\nchip = "reference"\n\n[simulation]\npreset = "pku"\n'
REAL_BENCH = 'name = "probe station"\nchip = "reference"\n'
LEVELS = parse_chip_map(CHIP).level_scale()

ORDER = 4
RHO = 0.05
OUTSIDE = {"invert_positive": 1, "multiply": 2}  # cells that end outside their window
UNUSED = 24  # cells within the multiplying array's lines that hold nothing


@dataclass
class Cells:
    """One array's cells: digits (-1 where unused), what was achieved, pulses."""

    name: str
    rows: np.ndarray
    columns: np.ndarray
    digits: np.ndarray
    achieved: np.ndarray = field(init=False)
    pulses: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(len(self.name))
        used = self.digits >= 0
        error = np.clip(rng.normal(0.0, LEVELS.spread, used.shape), -1e-6, 1e-6)
        error[self.digits == 0] = 0.0
        achieved = np.where(used, LEVELS.nominal[self.digits] + error, np.nan)
        strays = np.argwhere(self.digits == 5)[: OUTSIDE[self.name]]
        for row, column in strays:
            achieved[row, column] = LEVELS.high[5] + 0.5e-6
        self.achieved = achieved
        self.pulses = np.where(used, 2.0, np.nan)

    @property
    def target(self) -> np.ndarray:
        return np.where(self.digits >= 0, LEVELS.nominal[self.digits], np.nan)


def sample_cells() -> list[Cells]:
    """A square inverting array, and a multiplying array that skips a bad row and has an unused corner."""
    rng = np.random.default_rng(11)
    square = rng.integers(0, 8, (8, 8))
    wide = rng.integers(0, 8, (12, 20))
    wide[8:, 14:] = -1
    rows = np.delete(np.arange(13), 3)
    return [
        Cells("invert_positive", np.arange(8), np.arange(8), square),
        Cells("multiply", rows, np.arange(20), wide),
    ]


class SampleRun:
    """Writes a run like a solve's, step by step."""

    def __init__(
        self, path: Path, *, bench: str = BENCH, chip: str = CHIP, title: str = "Solve [bold]4x4[/bold]"
    ) -> None:
        self.cells = sample_cells()
        self.cycles = 0
        held = np.diag([1.0, 1.1, 1.2, 1.3])
        self._achieved = held / (1.0 - RHO)  # so that I - A A0^-1 = rho I
        cycles = Table(
            "cycles",
            (
                Column("cycle", dtype="u4"),
                Column("time", "s"),
                Column("residual"),
                Column("relative_error"),
                Column("mvm_outputs", dtype="u8"),
                Column("mvm_wrong", dtype="u8"),
                Column("solution", shape=(ORDER,)),
            ),
            signal="relative_error",
            axis="cycle",
        )
        pulses = Table("pulses", (Column("time", "s"), Column("conductance", "S")), "conductance", "time")
        maps = [
            Map(f"{cells.name}_{quantity}", unit, cells.rows, cells.columns)
            for cells in self.cells
            for quantity, unit in (("conductance", "S"), ("target", "S"), ("pulses", ""))
        ]
        arrays = (
            Array("matrix_held", held),
            Array("matrix_achieved", np.full((ORDER, ORDER), np.nan)),
            Array("solution", np.full(ORDER, np.nan)),
        )
        header = RunHeader(
            title=title,
            procedure="Solve",
            version="1",
            parameters={
                "matrix": RecordedParameter(
                    "data/matrices/a-rather-long-name-of-a-matrix-file.mtx", "", "Matrix"
                ),
                "bits": RecordedParameter(24, "bit", "Precision"),
                "tolerance": RecordedParameter(0.0, "", "Tolerance of the relative residual"),
            },
            bench=bench,
            chip=chip,
            provenance={"seed": "7"},
        )
        self.writer = RunWriter.create(path, header, Layout((pulses, cycles), tuple(maps), arrays, "cycles"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.writer.__exit__(kind, error, trace)

    def pause(self) -> None:
        """Rest."""
        self.writer.pause(True)

    def plan(self) -> None:
        """Targets are known, no cell is programmed."""
        for cells in self.cells:
            self.writer.snapshot(f"{cells.name}_target", cells.target)

    def program(self, share: float = 1.0) -> None:
        """The first `share` of each array's rows have been verified."""
        for cells in self.cells:
            done = np.arange(len(cells.rows))[:, None] < share * len(cells.rows)
            self.writer.snapshot(f"{cells.name}_conductance", np.where(done, cells.achieved, np.nan))
            self.writer.snapshot(f"{cells.name}_pulses", np.where(done, cells.pulses, np.nan))
        self.writer.log("WARNING", "3 cells could not be brought into their verify window")

    def half(self) -> None:
        """Half of the rows have been verified."""
        self.program(share=0.5)

    def forecast(self) -> None:
        """The forecast is known."""
        self.writer.set_array("matrix_achieved", self._achieved)
        self.writer.log("INFO", "forecast: rho(I - A A0^-1) = 0.050")

    def cycle(self, shrink: float = RHO) -> None:
        """One more cycle, each smaller than the last by `shrink`."""
        self.cycles += 1
        self.writer.emit(
            "cycles",
            cycle=self.cycles,
            time=float(self.cycles),
            residual=shrink**self.cycles,
            relative_error=1.2 * shrink**self.cycles,
            mvm_outputs=100,
            mvm_wrong=self.cycles == 2,
            solution=np.zeros(ORDER),
        )

    def summarise(self) -> None:
        """The run's own summary."""
        self.writer.set_result(
            {"converged": True, "encoding": "differential", "forecast_rho": RHO, "virtual_seconds": 41.0}
        )


def whole_run(path: Path, cycles: int = 5, **header: Any) -> Path:
    """A solve that went well; written once, and copied for whoever wants the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_whole_run(cycles, **header))
    return path


@cache
def _whole_run(cycles: int, **header: Any) -> bytes:
    with TemporaryDirectory() as folder, SampleRun(path := Path(folder) / "run.h5", **header) as run:
        run.plan()
        run.program()
        run.forecast()
        for _ in range(cycles):
            run.cycle()
        run.summarise()
        run.writer.finish(Status.FINISHED)
        return path.read_bytes()


def failed_run(path: Path) -> Path:
    """A solve that met an error."""
    run = SampleRun(path)
    run.plan()
    run.writer.finish(Status.FAILED, "ValueError: boom")
    return path


def other_run(path: Path) -> Path:
    """A run of a procedure that programs and refines nothing."""
    header = RunHeader("Sweep of one cell", "Sweep", "2", {}, bench=REAL_BENCH, chip="")
    sweep = Table("points", (Column("voltage", "V"), Column("current", "A")), "current", "voltage")
    image = Map("heat", "K", np.arange(3), np.arange(4))
    with RunWriter.create(path, header, Layout((sweep,), (image,))) as run:
        for volts in np.linspace(0.0, 1.0, 11):
            run.emit("points", voltage=volts, current=volts * 1e-5)
        run.snapshot("heat", np.arange(12.0).reshape(3, 4) + 300.0)
    return path


def empty_run(path: Path) -> Path:
    """A run that was stopped before it did anything, with nothing at all declared."""
    header = RunHeader("Nothing", "Nothing", "1", {"note": RecordedParameter(None)}, bench="not = [toml")
    with RunWriter.create(path, header, Layout()):
        pass
    return path


def seal_again(path: Path) -> Path:
    """Seal a file that a test has changed, as an attacker would."""
    with h5py.File(path, "r+", libver="latest") as file:
        del file[SEAL]
        prepare_seal(file.create_group(SEAL))
        write_seal(file, {})
    return path


def main() -> None:
    run = SampleRun(Path(sys.argv[1]))
    with run:
        run.plan()
        for word in map(str.strip, sys.stdin):
            if word == "finish":
                run.summarise()
                return
            if word == "abort":
                raise Aborted("SIGTERM received")
            getattr(run, word)()
            run.writer.flush()
            sys.stdout.write("done\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
