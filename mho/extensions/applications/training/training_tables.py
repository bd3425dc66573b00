"""Contents of the run file of trainings: tables of losses, of what a target takes, of inverses and settings, figures."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from mho.extensions.applications.application import MATRICES
from mho.extensions.applications.training.training import SETTINGS
from mho.runs import Column, Figure, Layout, ReferenceLine, Table

FIRST_ON_CHIP = 3  # number of the optimiser with one cycle on the chip; c cycles more have a number c higher
LABELS = {"sgd": "SGD with momentum", "adam": "Adam", "second-order": "second-order in float64"}
NUMBERS = {kind: number for number, kind in enumerate(LABELS)}


def label(cycles: int) -> str:
    """Return what the optimiser is called whose factors a chip inverts."""
    return "second-order on the chip" + ("" if cycles == 1 else f" {cycles} cycles")


def number(cycles: int) -> int:
    """Return the number of the optimiser whose factors a chip inverts."""
    return FIRST_ON_CHIP + cycles - 1


def _optimiser(cycles: Sequence[int]) -> Column:
    names = [*LABELS.values(), *(label(one) for one in range(1, max(cycles, default=1) + 1))]
    return Column(
        "optimiser", dtype="u1", description="; ".join(f"{code} {name}" for code, name in enumerate(names))
    )


_SEED = Column("seed", dtype="u4", description="number of the training, each with its own start and order")


INVERSES = Table(
    "inverses",
    (
        Column("cycles", dtype="u1", description="cycles of refinement of an inverse"), _SEED,
        Column("step", dtype="u4"), Column("layer", dtype="u1", description="layer, from 0"),
        Column("of", dtype="u1", description="factor: 0 inputs; 1 derivatives"),
        Column("size", dtype="u4", description="lines of the factor"),
        Column("condition", description="condition number", digital=1e-6),
        Column("error", description="relative error of the inverse", digital=1e-9),
        Column("worst", description="largest relative error of a direction; uphill from 1 on", digital=1e-6),
        Column("pulses", dtype="u4"),
    ),
    signal="error", axis="size",
)  # fmt: skip
REFRESHES = Table(
    "refreshes",
    (
        Column("interval", description="steps from one refresh of the factors to the next"), _SEED,
        Column("epochs", description="epochs to the target, factors inverted in float64"),
        Column("matrices", description="factors inverted until then"),
        Column("pulses", description="pulses that programming them takes, by this run's pulses a factor"),
    ),
    signal="epochs", axis="interval",
)  # fmt: skip


def layout(target: float, cycles: Sequence[int], trainings: int, evaluations: int) -> Layout:
    """Return everything that a run of so many trainings, each with so many evaluations, writes."""
    optimiser = _optimiser(cycles)
    training = Table(
        "training",
        (
            optimiser, _SEED, Column("epoch"),
            Column("training_loss", description="mean cross-entropy in training, nat", digital=1e-6),
            Column("validation_loss", description="mean cross-entropy in validation, nat", digital=1e-6),
            Column("accuracy", description="share of validation samples recognised", digital=1e-6),
            Column("operations", description="digital operations so far"),
            Column("pulses", description="programming pulses so far"),
        ),
        signal="validation_loss", axis="epoch", series="seed", rows=trainings * evaluations,
    )  # fmt: skip
    to_target = Table(
        "to_target",
        (
            optimiser, _SEED, Column("epochs", description="epochs to the target; NaN if it was not reached"),
            Column("operations", description="digital operations"),
            Column("matrices", description="factors inverted"),
            Column("inversions", description="INV operations, one a right-hand side and leaf"),
            Column("pulses", description="programming pulses"),
            Column("joules", "J", description="energy, chip and digital operations", digital=1e-6),
            Column("chip_seconds", "s", description="time on the bench", digital=1e-6),
        ),
        signal="epochs", axis="optimiser", rows=trainings,
    )  # fmt: skip
    tried = Table(
        "search",
        (
            optimiser, *(Column(name) for name in SETTINGS),
            Column("epochs", description="median epochs to the target; NaN if it was not reached"),
            Column("loss", description="median of the last validation losses, nat", digital=1e-6),
        ),
        signal="epochs", axis="optimiser",
    )  # fmt: skip
    return Layout(
        (training, to_target, INVERSES, REFRESHES, tried, MATRICES),
        default="training",
        figures=_figures(target),
    )


def _medians(table: str, name: str, x: str, y: str, title: str, **more: Any) -> Figure:
    """Return a figure of medians and quartiles over the seeds."""
    return Figure(name, kind="errorbars", table=table, x=x, y=y, title=title, **more)


def _figures(target: float) -> tuple[Figure, ...]:
    over, to, of, at = (partial(_medians, one) for one in ("training", "to_target", "inverses", "refreshes"))
    each: dict[str, Any] = {"by": "optimiser"}
    goal, uphill = ReferenceLine(target, label="target"), ReferenceLine(1.0, label="uphill")
    return (
        over("loss", "epoch", "validation_loss",
             "Validation loss over epochs, medians and quartiles over seeds", y_scale="log", lines=(goal,),
             **each),
        over("accuracy", "epoch", "accuracy", "Validation accuracy over epochs", **each),
        to("epochs_to_target", "optimiser", "epochs", "Epochs to the target", **each),
        to("energy_to_target", "optimiser", "joules", "Energy to the target", y_scale="log", **each),
        of("inverse_error", "size", "error", "Error of the inverses of the factors", by="cycles",
           y_scale="log"),
        of("worst_direction", "size", "worst", "Largest error of the inverses along a direction", by="cycles",
           y_scale="log", lines=(uphill,)),
        at("refresh_epochs", "interval", "epochs", "Epochs to the target by the interval of refreshes",
           x_scale="log"),
        at("refresh_pulses", "interval", "pulses", "Pulses to the target by the interval of refreshes",
           x_scale="log", y_scale="log"),
    )  # fmt: skip


def finite(value: float) -> float:
    """Return a number for a table: NaN for what was not reached."""
    return value if np.isfinite(value) else np.nan
