"""One training of one network, and what it has taken by each evaluation: operations, inversions, pulses, energy.

Digital operations, additions and multiplications, are counted from the sizes of the layers: products of matrices in full,
element-wise functions not, which are less than a tenth.

The inverses of Kronecker factors are kept while the matrices have not moved; they are made by float64 or by a chip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from mho.array_types import Floats
from mho.errors import ChipMapError, ConvergenceError
from mho.extensions.applications.application import MatrixHolder
from mho.extensions.applications.training.data.datasets import Split
from mho.extensions.applications.training.network import initial_weights
from mho.extensions.applications.training.optimisers import NaturalGradient, Optimiser
from mho.extensions.applications.training.optimisers import Solve as Solves
from mho.extensions.applications.training.training import Evaluation, epochs_to, optimiser_of, train
from mho.instruments import Bench
from mho.procedures import HeldMatrix, Solve

# Takes the number of a factor and its matrix, and returns about its inverse
Invert = Callable[[int, Floats], Floats]


class KeptInverses:
    """Holds matrices by their inverses, and makes anew only those that have moved since.

    Reprogramming cells is what takes time, energy and endurance: a factor that is still what it was stays.

    `moved`: relative change of a matrix, in the Frobenius norm, above which it is inverted anew.
    """

    def __init__(self, invert: Invert, moved: float) -> None:
        self._invert, self._moved = invert, moved
        self._cache: dict[int, tuple[Floats, Solves]] = {}

    def __call__(self, matrices: Sequence[Floats]) -> list[Solves]:
        """Return what solves with each matrix."""
        return [self._solve(number, matrix) for number, matrix in enumerate(matrices)]

    def _solve(self, number: int, matrix: Floats) -> Solves:
        before, solve = self._cache.get(number, (None, None))
        if before is None or solve is None or change(before, matrix) > self._moved:
            solve = self._invert(number, matrix).__matmul__
            self._cache[number] = matrix, solve
        return solve


def options_for(cycles: int) -> dict[str, Any]:
    """Return how a factor is held: a single step needs no product with it, so nothing is programmed for any."""
    return {"method": "plain"} | ({"residual": "float64"} if cycles == 1 else {})


def check_room(size: int, bench: Bench, cycles: int, bits: int) -> None:
    """Raise `ChipMapError` where a bench's chip does not hold a factor of so many lines; nothing is sent."""
    neighbours = np.eye(size, k=1) + np.eye(size, k=-1)  # signed, as factors are
    solve = Solve(
        matrix=2.0 * np.eye(size) - 0.5 * neighbours, rhs=np.ones(size), bits=bits, **options_for(cycles)
    )
    try:
        solve.prepare(solve.check(), bench, np.random.default_rng(0))
    except ChipMapError as error:
        raise ChipMapError(
            f"the largest factor of the network has {size} lines, those of its widest layer: {error}; or give a narrower "
            "network"
        ) from None


@dataclass(frozen=True)
class ChipInverse:
    """An inverse as the chip found it."""

    inverse: Floats  # (n, n): symmetric
    error: float  # relative to the inverse in float64, Frobenius norm
    # Largest relative error of a direction: the spectral radius of I - X A, X being the inverse found. From 1
    # on a step goes uphill along some direction, which few of the entries of X tell: it is one of large
    # curvature
    worst: float
    condition: float  # of the matrix
    pulses: int  # programming it took
    digital_products: bool  # whether residuals were taken in float64
    settled: bool = True  # false where the chip did not invert the matrix and the inverse is that of float64
    reason: str = ""  # why it did not


def invert_on_chip(matrix: Floats, holder: MatrixHolder, cycles: int) -> ChipInverse:
    """Program a symmetric positive definite matrix, and find its inverse from the answers to the unit vectors.

    The chip holds ``D^-1/2 A D^-1/2`` with a diagonal of ones, whose condition number is at most n times the least that any
    scaling gives (van der Sluis, Numer. Math. 14, 14 (1969)), and whose entries fill the range of the cells. The inverse is
    symmetric: the mean with the transpose has less of the noise.

    `cycles`: 1 for a single step of INV, more for cycles of refinement.
    """
    exact: Floats = np.asarray(np.linalg.inv(matrix), dtype=np.float64)
    condition = float(np.linalg.cond(matrix))
    try:
        scales = 1.0 / np.sqrt(np.diag(matrix))
        chip_matrix = holder.hold(matrix * np.outer(scales, scales), **options_for(cycles))
        estimate = _approximate_inverse(chip_matrix, cycles)
    except ConvergenceError as error:
        return ChipInverse(exact, np.nan, np.nan, condition, 0, True, False, str(error))
    inverse = np.asarray(0.5 * (estimate + estimate.T) * np.outer(scales, scales), dtype=np.float64)
    return ChipInverse(
        inverse, change(exact, inverse),
        float(np.abs(np.linalg.eigvals(np.eye(len(matrix)) - inverse @ matrix)).max()), condition,
        chip_matrix.summary()["pulses"], cycles > 1 and not chip_matrix.products_on_chip,
    )  # fmt: skip


def _approximate_inverse(chip_matrix: HeldMatrix, cycles: int) -> Floats:
    """Return about the inverse of a held matrix; of several cycles by a line search, which cannot diverge."""
    units = np.eye(chip_matrix.size)
    if cycles == 1:
        return np.asarray(chip_matrix.invert(units), dtype=np.float64)
    return np.asarray(
        chip_matrix.solve(units, cycles=cycles, method="line search").solutions, dtype=np.float64
    )


def change(before: Floats, now: Floats) -> float:
    """Return the relative change of a matrix in the Frobenius norm."""
    return float(np.linalg.norm(now - before) / np.linalg.norm(before))


# Energy of a digital operation, J: 700 W over 67e12 operations a second in FP32, the data sheet limits of an
# H100 SXM. Matrices as small as these stay far from that limit, so it is the least that a GPU takes, not what
# it would take.
H100_JOULES = 700.0 / 67e12
# Operations a weight of an update: as `Momentum`, `Adam` and `NaturalGradient` are written
UPDATES = {"sgd": 4, "adam": 13, "second-order": 7}


def weights_in(sizes: Sequence[int]) -> int:
    """Return the number of weights, biases included."""
    return sum(outputs * (inputs + 1) for inputs, outputs in pairwise(sizes))


def step_operations(kind: str, sizes: Sequence[int], batch: int) -> int:
    """Return the operations of a step without factors: forward, backward, and the update of an optimiser's kind."""
    passes = 2 * batch * (2 * weights_in(sizes) + _carried_back(sizes))
    natural = 0
    if kind == "second-order":
        natural = sum(2 * outputs * (inputs + 1) * (inputs + outputs) for inputs, outputs in pairwise(sizes))
    return passes + natural + UPDATES[kind] * weights_in(sizes)


def factor_operations(sizes: Sequence[int], samples: int) -> int:
    """Return the operations of computing the factors of all layers over so many samples, each for every class."""
    classes = sizes[-1]
    passes = 2 * samples * (weights_in(sizes) + classes * _carried_back(sizes))
    return passes + sum(
        2 * samples * (inputs**2 + classes * outputs**2) for inputs, outputs in pairwise(sizes)
    )


def inverse_operations(size: int) -> int:
    """Return the operations of inverting a symmetric positive definite matrix by Cholesky, n^3 (potrf and potri)."""
    return size**3


def residual_operations(size: int, cycles: int) -> int:
    """Return the operations of the residuals that so many cycles of refinement of an inverse take in float64."""
    return 2 * size**3 * (cycles - 1)


def factor_sizes(sizes: Sequence[int]) -> list[int]:
    """Return the sizes of the factors, of each layer C and then G."""
    return [size for pair in pairwise(sizes) for size in pair]


def _carried_back(sizes: Sequence[int]) -> int:
    """Return the weights through which derivatives are carried back: those of all layers but the first."""
    return sum(outputs * inputs for inputs, outputs in pairwise(sizes[1:]))


CHIP = ("pulses", "inversions", "chip_joules", "chip_seconds")
# What is counted of a training: digital operations, wall time of digital steps, matrices inverted, and the
# chip's
SPENT = ("operations", "seconds", "matrices", *CHIP)


@dataclass(frozen=True)
class TrainingTask:
    """What all trainings of a run share."""

    split: Split
    sizes: tuple[int, ...]  # of the layers, inputs first
    epochs: int
    batch: int
    target: float  # validation loss, nat
    refresh: int  # steps from one refresh of the factors to the next
    moved: float  # as of `KeptInverses`
    samples: int  # samples that factors are taken over: the first of those to train on, always the same

    @property
    def of_factors(self) -> Floats:
        """The samples that factors are taken over."""
        return self.split.x[: self.samples]


@dataclass
class Trained:
    """A training: evaluations, what was spent by each, and which factors were inverted by each.

    Of the whole training: steps uphill, digital operations beside those of the inverses, and these by Cholesky in float64.
    """

    evaluations: list[Evaluation] = field(default_factory=list)
    spent: list[Mapping[str, float]] = field(default_factory=list)
    factors: list[tuple[int, ...]] = field(default_factory=list)
    uphill: int = 0
    beside: int = 0
    inverting: int = 0

    def to_target(self, target: float) -> dict[str, float]:
        """Return epochs and what was spent until the validation loss was at the target to stay; infinities if never."""
        epochs = np.array([one.epoch for one in self.evaluations])
        losses = np.array([float(one.validation_loss) for one in self.evaluations])
        reached = float(epochs_to(target, epochs, losses))
        if not np.isfinite(reached):
            return {"epochs": np.inf} | dict.fromkeys(SPENT, np.inf)
        return {"epochs": reached, **self.spent[self._place(reached)]}

    def factors_by(self, epoch: float) -> tuple[int, ...]:
        """Return the numbers of the factors inverted by an epoch, each as often as it was; all of them by infinity."""
        return self.factors[self._place(epoch)] if np.isfinite(epoch) else self.factors[-1]

    def _place(self, epoch: float) -> int:
        return next(place for place, one in enumerate(self.evaluations) if one.epoch == epoch)


@dataclass
class _Made:
    """Factors inverted so far, and the digital operations that it took."""

    factors: list[int] = field(default_factory=list)
    operations: int = 0


class Trainings:
    """Trains networks of a task, digitally or with a chip."""

    def __init__(self, task: TrainingTask) -> None:
        self._task = task

    def digital(
        self, kind: str, settings: Mapping[str, float], seed: np.random.SeedSequence,
        refresh: int | None = None,
    ) -> Iterator[tuple[Trained, Evaluation]]:  # fmt: skip
        """Train by an optimiser of a kind, in float64; yield what there is after each evaluation."""
        made = _Made()

        def invert(number: int, matrix: Floats) -> Floats:
            made.factors.append(number)
            made.operations += inverse_operations(len(matrix))
            return np.asarray(np.linalg.inv(matrix), dtype=np.float64)

        return self._train(kind, self._optimiser(kind, settings, invert, refresh), seed, made, dict)

    def with_chip(
        self, settings: Mapping[str, float], seed: np.random.SeedSequence, holder: MatrixHolder, cycles: int,
        report: Callable[[int, int, ChipInverse], None],
    ) -> Iterator[tuple[Trained, Evaluation]]:  # fmt: skip
        """Train by the natural gradient, its factors inverted by a chip; yield what there is after each evaluation.

        `report` is given each inverse, behind its step and the number of its factor.
        """
        made, before = _Made(), _of_chip(holder)

        def invert(number: int, matrix: Floats) -> Floats:
            inverse = invert_on_chip(matrix, holder, cycles)
            size = len(matrix)
            made.factors.append(number)
            if not inverse.settled:
                made.operations += inverse_operations(size)
            elif inverse.digital_products:
                made.operations += residual_operations(size, cycles)
            report(optimiser.steps, number, inverse)
            return inverse.inverse

        def spent() -> dict[str, float]:
            now = _of_chip(holder)
            return {name: now[name] - before[name] for name in CHIP}

        optimiser = self._optimiser("second-order", settings, invert)
        return self._train("second-order", optimiser, seed, made, spent)

    def _optimiser(
        self, kind: str, settings: Mapping[str, float], invert: Invert, refresh: int | None = None
    ) -> Any:
        task = self._task

        def natural(trust: Floats, damping: Floats, momentum: Floats) -> NaturalGradient:
            return NaturalGradient(
                trust, damping, momentum, refresh=task.refresh if refresh is None else refresh,
                samples=task.of_factors, hold=KeptInverses(invert, task.moved),
            )  # fmt: skip

        return optimiser_of(kind, {name: np.asarray(value) for name, value in settings.items()}, natural)

    def _train(
        self, kind: str, optimiser: Optimiser, seed: np.random.SeedSequence, made: _Made,
        on_chip: Callable[[], Mapping[str, float]],
    ) -> Iterator[tuple[Trained, Evaluation]]:  # fmt: skip
        task, trained = self._task, Trained()
        rng = np.random.default_rng(seed)
        weights = initial_weights(task.sizes, rng)
        a_step = step_operations(kind, task.sizes, task.batch)
        a_refresh = factor_operations(task.sizes, task.samples)
        for evaluation in train(optimiser, weights, task.split, [rng], epochs=task.epochs, batch=task.batch):
            natural = optimiser if isinstance(optimiser, NaturalGradient) else None
            refreshes = 0 if natural is None else natural.refreshes
            trained.uphill = 0 if natural is None else natural.uphill
            trained.beside = evaluation.steps * a_step + refreshes * a_refresh
            every = factor_sizes(task.sizes)
            trained.inverting = sum(inverse_operations(every[number]) for number in made.factors)
            trained.evaluations.append(evaluation)
            trained.factors.append(tuple(made.factors))
            trained.spent.append({
                **dict.fromkeys(SPENT, 0.0), **on_chip(), "operations": trained.beside + made.operations,
                "matrices": len(made.factors), "seconds": evaluation.seconds,
            })  # fmt: skip
            yield trained, evaluation


def _of_chip(holder: MatrixHolder) -> dict[str, float]:
    costs = holder.operations()
    return {
        "pulses": costs["pulses"], "inversions": costs["inversions"], "chip_joules": costs["joules"][0],
        "chip_seconds": costs["virtual_seconds"][0],
    }  # fmt: skip
