"""The two real 4 x 4 experiments: relative error after each cycle, on chip after chip, beside the published curve.

Both hold the same matrix, we say. Of the one of 24 bits only the digits in the inverting array are printed, 4 2 0 0 /
0 3 5 0 / 1 2 7 1 / 0 1 0 2; all sixteen are those to which the printed matrix of 12 bits rounds. It is therefore taken as
that matrix with twelve further bits, which are drawn anew for every chip, and with what lies beyond the 24 bits, which no
slice holds and which makes the floor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.chip_maps import load_matrix
from mho.errors import ConvergenceError
from mho.extensions.published.as_published import Refined, refine_as_published
from mho.extensions.published.comparisons import (
    Experiment,
    ExperimentOutcome,
    PublishedComparison,
    Setup,
    Tell,
)
from mho.extensions.published.rejection import detectable, reject
from mho.instruments import Bench
from mho.runs import Column, Figure, ReferencePoints, Table

MATRIX = "zuo2025-4x4"
DRAWN = 2.0**-12  # of what is not printed: the digits behind the twelfth bit
BAND = ("lowest", "median", "highest")


def relative_errors(solutions: Floats, exact: Floats) -> Floats:
    """Return |x - x*| / |x*| of solutions (cycles, n, k) for each column, (cycles, k)."""
    return np.asarray(np.linalg.norm(solutions - exact, axis=1) / np.linalg.norm(exact, axis=0))


def curve_layout(
    name: str, title: str, cycles: Sequence[int], errors: Sequence[float]
) -> tuple[tuple[Table, ...], tuple[Figure, ...]]:
    """Return tables and figures of the chips' curves, and of what they come to beside the published errors."""
    chips = Table(
        f"curves_{name}",
        (
            Column("chip", dtype="u4"), Column("cycle", dtype="u2"),
            Column("error", description="relative error", digital=1e-6),
        ),
        title=title, signal="error", axis="cycle", series="chip",
    )  # fmt: skip
    band = Table(
        f"beside_{name}",
        (
            Column("cycle", dtype="u2"), Column("published", description="published relative error"),
            *(Column(one, description=f"{one} relative error", digital=1e-6) for one in BAND),
            Column("deviation", description="median over published", digital=1e-6),
            Column("below", description="share of the chips below the published error", digital=1e-6),
        ),
        title=title, signal="median",
    )  # fmt: skip
    published = (ReferencePoints(tuple(map(float, cycles)), tuple(errors), "published"),) if errors else ()
    return (chips, band), (
        Figure(f"convergence_{name}", title, table=f"beside_{name}", x="cycle",
               y=("published", "median", "lowest", "highest"), y_scale="log"),
        Figure(f"chips_{name}", f"{title}: every chip", table=f"curves_{name}", x="cycle", y="error",
               by="chip", y_scale="log", points=published),
    )  # fmt: skip


def curve_columns(
    name: str, curves: Floats, rows: list[PublishedComparison]
) -> dict[str, dict[str, NDArray[np.generic]]]:
    """Return the columns of both tables for curves (chips, cycles)."""
    chips, cycles = curves.shape
    numbers = np.arange(1, cycles + 1)
    return {
        f"curves_{name}": {
            "chip": np.repeat(np.arange(1, chips + 1), cycles), "cycle": np.tile(numbers, chips),
            "error": curves.ravel(),
        },
        f"beside_{name}": {
            "cycle": numbers,
            "published": np.array([np.nan if one.published is None else one.published for one in rows]),
            "lowest": np.array([one.low for one in rows]), "median": np.array([one.median for one in rows]),
            "highest": np.array([one.high for one in rows]),
            "deviation": np.array([one.deviation for one in rows]),
            "below": np.array([one.below for one in rows]),
        },
    }  # fmt: skip


@dataclass(frozen=True)
class RealCurve(Experiment):
    """One of the real 4 x 4 experiments."""

    # name, short: as it is typed, and in names of tables
    name: str
    short: str
    rhs: tuple[float, ...]
    bits: int
    cycles: int
    falling: int  # cycles over which the published error falls, before its floor
    number: int  # of its chips, among the experiments'

    def declared(self) -> tuple[tuple[Table, ...], tuple[Figure, ...]]:
        """Return tables and figures of the run file."""
        errors = self.published["errors"].values.tolist()
        return curve_layout(self.short, self.published.title, range(1, len(errors) + 1), errors)

    def matrix(self, rng: np.random.Generator) -> Floats:
        """Return A of one chip."""
        printed = load_matrix(MATRIX).astype(np.float64)
        return printed if self.bits <= 12 else printed + DRAWN * rng.random(printed.shape)

    def carry_out(self, setup: Setup, tell: Tell, **otherwise: Any) -> ExperimentOutcome:
        """Refine on every chip, and test the published curve against all.

        `otherwise` are what `refine_as_published` may do otherwise than is published.
        """
        rhs = np.array(self.rhs)[:, None]

        def measure(bench: Bench, rng: np.random.Generator, matrix: Floats) -> tuple[Floats, Refined]:
            refinement = refine_as_published(bench, matrix, rhs, self.cycles, self.bits, **otherwise)
            return relative_errors(refinement.solutions, np.linalg.solve(matrix, rhs))[:, 0], refinement

        each, lost = setup.on_chips(self.number, tell, measure, self.matrix, ConvergenceError)
        remarks = (f"{len(lost)} of {setup.chips} chips gave no curve: {lost[-1]}",) if lost else ()
        if not each:
            return ExperimentOutcome(open_=remarks)
        return self.compared(
            np.stack([curve for curve, _ in each]), [one for _, one in each], setup.seed, remarks
        )

    def compared(
        self, curves: Floats, refined: list[Refined], seed: int, remarks: tuple[str, ...] = ()
    ) -> ExperimentOutcome:
        """Return curves (chips, cycles) beside the published one, with what else is to be told."""
        errors = self.published["errors"]
        rows = [
            PublishedComparison.of(
                "relative error", curves[:, cycle], errors, cycle + 1, float(errors.values[cycle])
            )
            for cycle in range(self.cycles)
        ]
        tables = curve_columns(self.short, curves, rows)
        at_floor = self.falling < self.cycles
        rejection = reject(
            errors.values, curves, falling=self.falling, floor=at_floor, reading=errors.reading,
            rng=np.random.default_rng([seed, self.number, 1]),
        )  # fmt: skip
        seen = detectable(curves, falling=self.falling, floor=at_floor)
        for quantity, samples in (
            ("inv_alone", curves[:, 0]), ("products", [one.shots * one.slices for one in refined]),
            ("outputs", [one.outputs for one in refined]), ("wrong", [one.wrong for one in refined]),
        ):  # fmt: skip
            if quantity in self.published.numbers:
                rows.append(PublishedComparison.of(NAMES[quantity], samples, self.published[quantity]))
        facts = {
            "wrong_integers": sum(one.wrong for one in refined),
            "integers": sum(one.outputs for one in refined),
            "cells_failed": sum(one.failed for one in refined),
            "cells": sum(one.cells for one in refined),
        }
        return ExperimentOutcome(tuple(rows), tables, rejection, seen, facts, remarks)


NAMES = {
    "inv_alone": "relative error of INV alone", "products": "one-step products",
    "outputs": "outputs of products", "wrong": "wrong outputs",
}  # fmt: skip

TWELVE = RealCurve("4x4-12bit", "12bit", (0.05, 0.0, 0.05, 0.025), 12, 3, 3, 1)
TWENTY_FOUR = RealCurve("4x4-24bit", "24bit", (0.1, 0.1, 0.0, -0.1), 24, 10, 7, 2)
