"""What a run of trainings came to: epochs, energy and time to the target, medians and quartiles, and in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from mho.array_types import Floats
from mho.confidence import median_interval, with_interval
from mho.extensions.applications.training.training import quartiles
from mho.extensions.applications.training.training_run import SPENT, ChipInverse, Trained, TrainingTask
from mho.extensions.applications.training.training_tables import LABELS, label

FIRST_ORDER = ("sgd", "adam")
# Settling of a 4x4 INV with fast amplifiers, s (Zuo et al., Nature Electronics 8, 1222 (2025))
PUBLISHED_INVERSION = 120e-9


@dataclass
class OptimiserOutcome:
    """All trainings by one optimiser."""

    kind: str
    number: int  # that of the tables
    settings: Mapping[str, float]
    trained: list[Trained]  # one a seed
    cycles: int = 0  # of refinement on the chip; 0 where no chip is used
    inverses: list[tuple[int, ChipInverse]] = field(default_factory=list)  # with the numbers of their factors

    @property
    def name(self) -> str:
        """What it is called."""
        return label(self.cycles) if self.cycles else LABELS[self.kind]

    @property
    def key(self) -> str:
        """What it is called in the result."""
        return f"chip_{self.cycles}" if self.cycles else self.kind.replace("-", "_")

    def pulses_a_factor(self) -> dict[int, float]:
        """Return the mean pulses that programming each factor took."""
        by_factor: dict[int, list[int]] = {}
        for factor, inverse in self.inverses:
            by_factor.setdefault(factor, []).append(inverse.pulses)
        return {factor: float(np.mean(pulses)) for factor, pulses in by_factor.items()}


@dataclass(frozen=True)
class TrainingResult:
    """Result of a run of trainings; `units` are those of the summary.

    Attributes
    ----------
    summary : dict
        As in the run file and of ``--json``; an optimiser a row in ``optimisers``.
    path : Path or None
        The run file.

    Examples
    --------
    >>> training = mho.applications.Train(
    ...     data="iris", optimiser="sgd", epochs=1, seeds=1, rate=0.1, momentum=0.0, target=2.0
    ... )
    >>> with mho.open_bench("arrays", preset="quiet", seed=1) as bench:
    ...     result = mho.evaluate(training, bench, seed=1)
    >>> result.summary["network"], [row["name"] for row in result.summary["optimisers"]]
    ('4,4,3', ['SGD with momentum'])
    """

    summary: dict[str, Any]
    path: Path = field(default=Path())
    units: ClassVar[Mapping[str, str]] = {
        "joules_an_operation": "J", "programming_joules": "J", "joules": "J", "virtual_seconds": "s",
    }  # fmt: skip


def result_of(
    outcomes: Sequence[OptimiserOutcome], task: TrainingTask, operation: float, costs: Mapping[str, Any]
) -> TrainingResult:
    """Return the result of a run; `operation` is the energy of a digital operation, J, `costs` those of the chip."""
    rows = [_row(one, task, operation) for one in outcomes]
    medians = {one.key: row["epochs"]["median"] for one, row in zip(outcomes, rows, strict=True)}
    summary = {
        "in_words": in_words(rows, task), "target": task.target, "network": ",".join(map(str, task.sizes)),
        "epochs": medians,
        "fewer_epochs": fewer(
            {one.key: [taken["epochs"] for taken in _taken(one, task)] for one in outcomes},
            max(one.evaluations[-1].epoch for outcome in outcomes for one in outcome.trained),
        ),
        "optimisers": rows, "joules_an_operation": operation,
        **{name: one[0] if isinstance(one, tuple) else one for name, one in costs.items()},
        "training_seconds": {
            one.key: _spread([taken["seconds"] for taken in _taken(one, task)])
            for one in outcomes if not one.cycles
        },
    }  # fmt: skip
    return TrainingResult(summary)


def fewer(epochs: Mapping[str, Sequence[float]], limit: float) -> dict[str, float | None]:
    """Return by which share fewer epochs than SGD and Adam each second-order optimiser takes.

    The median of the shares saved from the starts, which all optimisers have in common, with its interval. One that does
    not come to its goal from a start within the `limit` (epochs) is censored there: it takes more, nobody knows how many.
    Where so many are censored that the median is not known, it is left out.
    """
    ratios: dict[str, float | None] = {}
    for second in (name for name in epochs if name not in FIRST_ORDER):
        for first in (name for name in FIRST_ORDER if name in epochs):
            with np.errstate(divide="ignore", invalid="ignore"):  # a start may be at its goal
                least, most = savings(np.array(epochs[second]), np.array(epochs[first]), limit)
            median = float(np.median(least))
            if np.isfinite(median) and median == np.median(most):
                ends = median_interval(least)[0], median_interval(most)[1]
                ratios |= with_interval(f"{second}_than_{first}", median, ends)
    return ratios


def savings(mine: Floats, other: Floats, limit: float) -> tuple[Floats, Floats]:
    """Return the least and the largest share of epochs that may be saved, where infinite ones are more than a limit."""
    return 1.0 - mine / np.minimum(other, limit), 1.0 - np.minimum(mine, limit) / other


def in_words(rows: Sequence[Mapping[str, Any]], task: TrainingTask) -> str:
    """Return the comparison in sentences."""
    parts = []
    for row in rows:
        spread = row["epochs"]
        if spread["median"] is None:
            parts.append(f"{row['name']} in {spread['reached']} of {spread['of']} trainings only")
            continue
        high = "more than there were" if spread["high"] is None else f"{spread['high']:g}"
        parts.append(f"{row['name']} in {spread['median']:g} epochs ({spread['low']:g} to {high})")
    sentences = [
        f"to a validation loss of {task.target:g}, medians and quartiles of {rows[0]['epochs']['of']} trainings: "
        + "; ".join(parts)
    ]
    digital = [
        f"{row['name']} {row['joules']['median']:.2g} J"
        for row in rows
        if not row["cycles"] and row["joules"]["median"] is not None
    ]
    if digital:
        sentences.append(f"Digital operations until then: {', '.join(digital)}")
    for row in rows:
        if row["cycles"] and row["epochs"]["median"] is not None:
            fresh = row["pulses_of_first"]
            sentences.append(
                f"With the chip, {row['cycles']} cycle{'s' * (row['cycles'] > 1)}: {row['pulses']['median']:.3g} pulses"
                + (
                    ""
                    if fresh is None
                    else f" ({fresh:.3g} the first, which does not find its data's factor there)"
                )
                + f", {row['inversions']['median']:.3g} INV and {row['joules']['median']:.2g} J a training, on this bench; "
                f"inverses are off by {row['inverse_error']['median']:.2g}"
            )
    sentences += [
        f"{row['name'].capitalize()}: {row['uphill_somewhere']} of {row['inverses']} inverses are so far off that a step "
        "goes uphill along some direction: give more damping, or more cycles"
        for row in rows
        if row["cycles"] and row["uphill_somewhere"]
    ]
    return ". ".join(sentences)


def _row(outcome: OptimiserOutcome, task: TrainingTask, operation: float) -> dict[str, Any]:
    """Return what an optimiser came to, by name."""
    taken = _taken(outcome, task)
    joules = [one["chip_joules"] + operation * one["operations"] for one in taken]
    row: dict[str, Any] = {
        "name": outcome.name, "key": outcome.key, "cycles": outcome.cycles,
        "settings": dict(outcome.settings),
        **{name: _spread([one[name] for one in taken]) for name in ("epochs", "operations", "matrices")},
        "joules": _spread(joules),
        "last_loss": _spread([float(one.evaluations[-1].validation_loss) for one in outcome.trained]),
        "last_accuracy": _spread([float(one.evaluations[-1].accuracy) for one in outcome.trained]),
        "uphill": sum(one.uphill for one in outcome.trained),
    }  # fmt: skip
    if outcome.kind == "second-order":
        row["share_of_inverses"] = _spread(
            [one.inverting / (one.beside + one.inverting) for one in outcome.trained]
        )
    if outcome.cycles:
        errors = [inverse.error for _, inverse in outcome.inverses if inverse.settled]
        row |= {
            name: _spread([one[name] for one in taken])
            for name in SPENT
            if name not in row and name != "seconds"
        }
        row |= {
            "pulses_of_first": taken[0]["pulses"] if np.isfinite(taken[0]["pulses"]) else None,
            "inverse_error": _spread(errors),
            "worst_direction": _spread([inverse.worst for _, inverse in outcome.inverses if inverse.settled]),
            "uphill_somewhere": sum(inverse.worst >= 1.0 for _, inverse in outcome.inverses),
            "inverses": len(outcome.inverses),
            "not_settled": sum(not inverse.settled for _, inverse in outcome.inverses),
            "seconds_of_inversions_at_120_ns": _spread(
                [PUBLISHED_INVERSION * one["inversions"] for one in taken]
            ),
        }
    return row


def _taken(outcome: OptimiserOutcome, task: TrainingTask) -> list[dict[str, float]]:
    return [one.to_target(task.target) for one in outcome.trained]


def _spread(values: Sequence[float]) -> dict[str, Any]:
    """Return median and quartiles, None where they were not reached, and how many of how many were."""
    if not len(values):
        return {"median": None, "low": None, "high": None, "reached": 0, "of": 0}
    low, median, high = (float(one) if np.isfinite(one) else None for one in quartiles(values))
    return {
        "median": median, "low": low, "high": high, "reached": int(np.isfinite(values).sum()),
        "of": len(values),
    }  # fmt: skip
