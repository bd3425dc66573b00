"""Give cells a few pulses and read them after each: a SET, a RESET, or a train of either or both in turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mho.array_types import Floats
from mho.instruments import Bench, Pulse
from mho.instruments.bench_file import BenchSource, Operation
from mho.procedures.base import Estimate, ProcedureResult
from mho.procedures.cell_range import CellRange
from mho.procedures.cells.cell_procedure import PLACE, TIME, CellProcedure
from mho.procedures.cells.cell_visits import each_cell
from mho.procedures.cells.switching.formed_cells import (
    GATED,
    FullPulses,
    gate_needs,
    prepared_pulses,
    pulse_parameters,
)
from mho.procedures.parameters import IntegerParameter, ListParameter
from mho.procedures.stream import Stream
from mho.procedures.wording import counted, quantity
from mho.runs import Column, Conclusion, Figure, Layout, Table

SET, RESET, IN_TURN = "set", "reset", "in turn"
NONE_SENT, SET_SENT, RESET_SENT = 0, 1, 2
MOST_READS = 10_000_000  # of a run
SIMULATED_STEP, HARDWARE_STEP = 0.8e-3, 20e-3  # s of wall time, a pulse and a read (?)


@dataclass(frozen=True, eq=False, repr=False)
class PulsedCells(ProcedureResult):
    """Result of a pulse train.

    Attributes
    ----------
    conductance : (rows, columns, 1 + pulses) array
        What each cell read before the first pulse, and after each, S.
    """

    conductance: Floats
    units: ClassVar[Mapping[str, str]] = {
        "conductance": "S", "median_before": "S", "median_after": "S", "virtual_seconds": "s",
    }  # fmt: skip
    dims: ClassVar[Mapping[str, tuple[str, ...]]] = {"conductance": ("row", "column", "pulse")}


@dataclass(frozen=True)
class TrainPlan:
    """The cells, and the pulses that each of them gets, in their order."""

    cells: CellRange
    full: FullPulses
    pulses: tuple[Pulse, ...]


class PulseTrain(CellProcedure[PulsedCells]):
    """Give each cell a few pulses (a SET, a RESET, a train of them) and read it before and after each.

    The cells are taken as they are: none is formed first.
    """

    title: ClassVar[str] = "Pulse cells"
    leading: ClassVar[tuple[str, ...]] = ("array", "rows", "columns", "kind", "count")
    needs: ClassVar[tuple[Operation, ...]] = ("read", "pulse")
    may_need: ClassVar[Mapping[Operation, str]] = {**CellProcedure.may_need, **GATED}
    run_words: ClassVar[str] = "Pulse {cells}: {kind} x {count}"

    kind = ListParameter(
        "Kind of pulses, in turn being SET and RESET", choices=[SET, RESET, IN_TURN], default=SET
    )
    count = IntegerParameter("Pulses of each cell", minimum=1, maximum=100_000, default=1)
    set_voltage, set_gate, reset_voltage, reset_gate, width = pulse_parameters()

    def needed(self) -> tuple[Operation, ...]:
        """Return what reads and pulses need, and a gate where it is asked for."""
        return (*super().needed(), *gate_needs(self))

    def check(self) -> CellRange:
        """Parse the ranges."""
        cells = CellRange.parse(self.rows, self.columns)
        count = cells.count * (1 + int(self.count))
        self.check_count(count, MOST_READS, "reads", "pulse fewer cells or less often")
        return cells

    def prepare(self, given: CellRange, bench: Bench, rng: np.random.Generator) -> TrainPlan:
        """Check that the array has these cells and that the bench allows pulses and reads."""
        full = prepared_pulses(self, given, bench)
        turn = {SET: (full.set,), RESET: (full.reset,), IN_TURN: (full.set, full.reset)}[self.kind]
        return TrainPlan(given, full, tuple(turn[number % len(turn)] for number in range(int(self.count))))

    def in_use(self, plan: TrainPlan) -> Mapping[str, tuple[float | str, str]]:
        """Return the pulses."""
        return plan.full.in_use()

    def layout(self, plan: TrainPlan) -> Layout:
        """Declare one table of reads, and a map of what the cells read last."""
        columns = (
            TIME,
            *PLACE,
            Column("pulse", dtype="u4", description="pulses that the cell has had; 0 before the first"),
            Column("sent", dtype="u1", description="before the read: 0 nothing, 1 a SET, 2 a RESET"),
            Column("conductance", "S"),
        )
        table = Table(
            "reads", columns, axis="pulse", title="every read", rows=plan.cells.count * (1 + len(plan.pulses))
        )
        images = self.maps(plan.cells, ("conductance", "S", "conductance after the last pulse"), images=1)
        figures = (
            Figure(
                "train", table="reads", x="pulse", y="conductance", by=("row", "column"), y_scale="log",
                title="Conductance by pulse",
            ),
            *(Figure(image.name, map=image.name) for image in images),
        )  # fmt: skip
        return Layout((table,), images, default=table.name, figures=figures)

    def estimate(self, given: CellRange, source: BenchSource) -> Estimate:
        """Estimate pulses, and the time from that of a pulse and a read."""
        pulses = given.count * int(self.count)
        step = HARDWARE_STEP if source.bench.simulation is None else SIMULATED_STEP
        return Estimate(pulses=pulses, seconds=step * pulses)

    def execute(self, plan: TrainPlan, bench: Bench, stream: Stream) -> PulsedCells:
        """Take cell after cell."""
        conductance = np.full((*plan.cells.shape, 1 + len(plan.pulses)), np.nan)
        codes = {"set": SET_SENT, "reset": RESET_SENT}
        for done, (place, cell) in enumerate(each_cell(self.array, plan.cells), 1):
            for number, pulse in enumerate((None, *plan.pulses)):
                if pulse is not None:
                    bench.pulse(cell, pulse)
                read = conductance[(*place, number)] = bench.read(cell)
                sent = NONE_SENT if pulse is None else codes[pulse.kind]
                stream.record(
                    "reads", time=bench.now(), row=cell.row, column=cell.column, pulse=number, sent=sent,
                    conductance=read,
                )  # fmt: skip
                stream.pace("pulsing", done - 1, plan.cells.count)
            stream.pace("pulsing", done, plan.cells.count, now=done == plan.cells.count)
        self.snapshot(stream, bench, plan.cells, conductance=conductance[..., -1])
        summary = {
            "cells": plan.cells.count,
            "pulses": plan.cells.count * len(plan.pulses),
            "median_before": float(np.median(conductance[..., 0])),
            "median_after": float(np.median(conductance[..., -1])),
            "virtual_seconds": bench.now(),
        }
        return PulsedCells(conductance, summary=summary)

    def conclude(self, plan: TrainPlan, result: Any) -> Conclusion:
        """Return what the cells read before and after."""
        before, after = result.summary["median_before"], result.summary["median_after"]
        cells = counted(plan.cells.count, "cell")
        each = "" if plan.cells.count == 1 else " each"
        pulses = counted(len(plan.pulses), "pulse" if self.kind == IN_TURN else self.kind.upper())
        pulses = pulses.replace("SETs", "SET").replace("RESETs", "RESET")
        middle = "" if plan.cells.count == 1 else "median "
        return Conclusion(
            f"{cells}, {pulses}{each}: {middle}{quantity(before, 'S')} to {quantity(after, 'S')}"
        )
