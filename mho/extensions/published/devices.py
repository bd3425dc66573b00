"""The experiments on cells and on the loop itself: eight levels by write-verify, and how fast the 4 x 4 loop settles."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mho.array_types import Floats
from mho.chip_maps import load_matrix, parse_chip_map
from mho.extensions.published.comparisons import (
    Experiment,
    ExperimentOutcome,
    PublishedComparison,
    Setup,
    Tell,
)
from mho.extensions.published.curves import MATRIX
from mho.instruments import Bench
from mho.instruments.simulated import AmplifierBank, InverseCircuit, StepResponse, amplifier_preset
from mho.procedures import Program, Programmed
from mho.running import evaluate
from mho.runs import Band, Column, Figure, ReferenceLine, Table

SIDE = 20  # of the 400 cells
MICRO = 1e6
LEVELS, SETTLING = "levels", "settling"
RHS = ((0.05, 0.0, 0.05, 0.025), (0.1, 0.1, 0.0, -0.1))  # of the two real experiments
INPUT = 35e-6  # S: of an input
SMALL = (
    1e-5  # A for a right-hand side of 1: outputs stay far from their clamps, and the amplifiers from slewing
)


@dataclass(frozen=True)
class LevelStatistics(Experiment):
    """400 cells programmed to eight levels, on every chip."""

    name: str = LEVELS
    number: int = 3

    def declared(self) -> tuple[tuple[Table, ...], tuple[Figure, ...]]:
        """Return tables and figures of the run file."""
        tables = (
            Table(
                "level_cells",
                (
                    Column("chip", dtype="u4"), Column("level", dtype="u1"),
                    Column("conductance", "S", description="last verify read"), Column("pulses", dtype="u4"),
                ),
                title=self.published.title, signal="conductance",
            ),
            Table(
                "level_spreads",
                (
                    Column("level", dtype="u1"), Column("nominal", "S"),
                    Column("spread", "S", description="standard deviation within chips"),
                    Column("inside", description="share of the cells in their window"),
                ),
                title=self.published.title, signal="spread",
            ),
        )  # fmt: skip
        low, high = self.published["spread"].values / MICRO
        ends = (
            ReferenceLine(float(low), label="published, least"),
            ReferenceLine(float(high), label="published, most"),
        )
        # A logarithmic scale, as level 0 is narrow and would hide the others
        return tables, (
            Figure("levels", "Levels of all chips", "histogram", "level_cells", x="conductance", by="level",
                   y_scale="log"),
            Figure("level_spreads", "Spread of the levels, and the published 0.6 to 0.7 uS", "scatter",
                   "level_spreads", x="nominal", y="spread", lines=ends),
        )  # fmt: skip

    def carry_out(self, setup: Setup, tell: Tell) -> ExperimentOutcome:
        """Program 400 cells on every chip."""
        programmings: list[Programmed] = []
        digits = np.empty((0, 0), np.int64)
        for rng in setup.generators(self.number):
            with setup.chip(rng) as bench:
                chip = parse_chip_map(bench.chip_text, bench.file.chip)
                levels = chip.level_scale()
                digits = np.arange(SIDE * SIDE).reshape(SIDE, SIDE) % (levels.top + 1)
                array = chip.arrays_for("multiply")[0].name
                job = Program(digits=digits, array=array)
                programmings.append(evaluate(job, bench, seed=int(rng.integers(2**31))))
            tell(len(programmings), setup.chips)
        conductances = np.stack([one.achieved for one in programmings])
        inside = levels.inside(conductances, np.broadcast_to(digits, conductances.shape))
        each = np.arange(levels.top + 1)
        spreads = np.array(
            [conductances[:, digits == level].std(axis=1, ddof=1) for level in each]
        )  # (levels, chips)
        above = spreads[1:]
        published, count = self.published, len(programmings)
        low, high = published["spread"].values
        rows = (
            PublishedComparison.of("share of cells in their window", inside.mean(axis=(1, 2)),
                                   published["success"]),
            PublishedComparison.of("spread of levels, least", above.min(axis=0) * MICRO, published["spread"],
                                   1, low),
            PublishedComparison.of("spread of levels, most", above.max(axis=0) * MICRO, published["spread"],
                                   2, high),
            PublishedComparison.of("farthest from nominal",
                                   np.abs(conductances - levels.nominal[digits])[:, digits > 0].max(axis=1) * MICRO,
                                   published["window"]),
        )  # fmt: skip
        tables = {
            "level_cells": {
                "chip": np.repeat(np.arange(1, count + 1), digits.size),
                "level": np.tile(digits.ravel(), count), "conductance": conductances.ravel(),
                "pulses": np.stack([one.pulses for one in programmings]).ravel(),
            },
            "level_spreads": {
                "level": each, "nominal": levels.nominal, "spread": np.sqrt(np.square(spreads).mean(axis=1)),
                "inside": np.array([inside[:, digits == level].mean() for level in each]),
            },
        }  # fmt: skip
        return ExperimentOutcome(
            rows, tables, facts={"cells_failed": sum(one.failed for one in programmings)}
        )


def step_of(
    conductances: Floats, rhs: Floats, row: float | None = None, feedback: float | None = None
) -> StepResponse:
    """Return the step response of an unsigned loop with OPA690 amplifiers, without their offsets and bias currents.

    Parameters
    ----------
    conductances : (n, n) array
        S.
    rhs : (n,) array
        Of the input currents, which stay small.
    row, feedback : float, optional
        C_in and C_f of the board, F, instead of the amplifier's usual ones.
    """
    n = len(conductances)
    fast = amplifier_preset("OPA690").with_capacitances(row, feedback)
    bank = AmplifierBank(replace(fast, offset=0.0, bias_current=0.0), np.zeros(n), np.zeros(n))
    load = np.abs(conductances).sum(axis=1) + INPUT
    return InverseCircuit(conductances, load, np.zeros((n, n)), bank, 1e6).step_response(SMALL * rhs)


def peak_time(response: StepResponse) -> float:
    """Return when the output that overshoots most is at its peak, s."""
    beyond = (response.outputs - response.final) * np.sign(response.final - response.start)
    return float(response.times[np.unravel_index(np.argmax(beyond), beyond.shape)[0]])


@dataclass(frozen=True)
class SettlingCurve(Experiment):
    """How long the 4 x 4 loop takes with fast amplifiers, on the cells of every chip."""

    name: str = SETTLING
    number: int = 4

    def declared(self) -> tuple[tuple[Table, ...], tuple[Figure, ...]]:
        """Return tables and figures of the run file."""
        tables = (
            Table(
                "settling",
                (
                    Column("chip", dtype="u4"), Column("rhs", dtype="u1"),
                    Column("seconds", "s", description="to within 1 %", digital=1e-6),
                    Column("overshoot", digital=1e-6),
                    Column("peak", "s", description="time of the largest overshoot", digital=1e-6),
                ),
                title=self.published.title, signal="seconds",
            ),
        )  # fmt: skip
        seconds, overshoot = self.published["seconds"].one, self.published["overshoot"].values
        return tables, (
            Figure("settling", "Settling to 1 % of the published 4 x 4 loop", "distribution", "settling",
                   x="seconds", by="rhs", lines=(ReferenceLine(x=seconds, label="published"),)),
            Figure("overshoot", "Overshoot, and the published range", "distribution", "settling",
                   x="overshoot", by="rhs",
                   bands=(Band(float(overshoot[0]), float(overshoot[1]), "published"),)),
        )  # fmt: skip

    def carry_out(self, setup: Setup, tell: Tell) -> ExperimentOutcome:
        """Program the loop's cells on every chip, and step the loop that they make."""
        points = []
        for chip, rng in enumerate(setup.generators(self.number), 1):
            with setup.chip(rng) as bench:
                cells = _loop_cells(bench, int(rng.integers(2**31)))
            for number, rhs in enumerate(RHS, 1):
                response = step_of(cells, np.array(rhs))
                points.append(
                    (chip, number, response.settling_time(), response.overshoot, peak_time(response))
                )
            tell(chip, setup.chips)
        columns = np.array(points)
        published = self.published
        rows = [PublishedComparison.of("time to within 1 %", columns[:, 2], published["seconds"])]
        for quantity, name, values in (
            ("overshoot", "overshoot", columns[:, 3]), ("time of the peak", "peak", columns[:, 4]),
        ):  # fmt: skip
            rows += [
                PublishedComparison.of(f"{quantity}, {end}", values, published[name], place, float(value))
                for place, (end, value) in enumerate(
                    zip(("least", "most"), published[name].values, strict=True), 1
                )
            ]
        whole = {"chip": columns[:, 0].astype(np.int64), "rhs": columns[:, 1].astype(np.int64)}
        measured = dict(zip(("seconds", "overshoot", "peak"), columns[:, 2:].T, strict=True))
        remarks = ("amplifiers without offset and bias current: see the physics of the OPA690",)
        return ExperimentOutcome(tuple(rows), {"settling": {**whole, **measured}}, open_=remarks)


def _loop_cells(bench: Bench, seed: int) -> Floats:
    """Program the rounded leading digits of the published matrix; return what the cells hold, S."""
    chip = parse_chip_map(bench.chip_text, bench.file.chip)
    levels = chip.level_scale()
    digits = np.rint(2.0**levels.bits * load_matrix(MATRIX)).astype(np.int64)
    array = chip.arrays_for("invert")[0].name
    programmed: Programmed = evaluate(Program(digits=digits, array=array), bench, seed=seed)
    return np.maximum(programmed.achieved, 0.0)
