"""Train a small network by SGD, by Adam and by a second-order step whose curvature a chip inverts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mho.errors import InputError
from mho.extensions.applications.application import Application, MatrixHolder, Prepared
from mho.extensions.applications.training.data.datasets import Dataset, load_dataset, split
from mho.extensions.applications.training.optimisers import NaturalGradient
from mho.extensions.applications.training.training import (
    EVALUATIONS,
    GRIDS,
    SETTINGS,
    Tried,
    grid_of,
    search,
    steps_in_epoch,
)
from mho.extensions.applications.training.training_result import OptimiserOutcome, TrainingResult, result_of
from mho.extensions.applications.training.training_run import (
    H100_JOULES,
    ChipInverse,
    Trained,
    Trainings,
    TrainingTask,
    check_room,
    factor_sizes,
)
from mho.extensions.applications.training.training_tables import NUMBERS, finite, label, layout, number
from mho.instruments import Bench
from mho.instruments.bench_file import BenchSource, Operation
from mho.procedures import (
    Estimate,
    FloatParameter,
    IntegerParameter,
    ListParameter,
    Parameter,
    Stream,
    joined,
)
from mho.procedures.cells import PULSES_PER_CELL
from mho.procedures.equations import DirectSolve
from mho.runs import Conclusion, Layout

LARGEST_LAYER, MOST_LAYERS, MOST_CYCLES = 512, 8, 10
OF_FACTORS = 256  # samples that factors are taken over
SEARCHES = 5  # trainings of each setting that is tried
# Steps between refreshes that are compared, as far as a training has so many
INTERVALS = (1, 2, 4, 8, 16, 32)


@dataclass(frozen=True)
class Given:
    """Parameters, understood."""

    dataset: Dataset
    task: TrainingTask
    # Of refinement of an inverse, each trained with; none without the second-order optimiser
    cycles: tuple[int, ...]
    kinds: tuple[str, ...]  # optimisers


class Train(Application[TrainingResult]):
    """Train a small network by SGD, by Adam and by a second-order step whose Kronecker factors the chip inverts."""

    title: ClassVar[str] = "Train a network"
    leading: ClassVar[tuple[str, ...]] = ("data", "network", "optimiser", "epochs")
    needs: ClassVar[tuple[Operation, ...]] = ("select", "read", "program", "invert")
    may_need: ClassVar[Mapping[Operation, str]] = {
        "multiply": "to refine inverses in several cycles, or where write_verify says verify = row or hadamard"
    }

    data: Parameter[Any] = Parameter(
        "Data set, digits or iris, or a .npz file with x and y", default="digits"
    )
    network: Parameter[Any] = Parameter(
        "Sizes of the layers, as 64,16,10; those of the data with one hidden layer unless given"
    )
    optimiser = ListParameter("Optimiser", choices=["all", "second-order", "sgd", "adam"], default="all")
    epochs = IntegerParameter("Epochs", minimum=1, maximum=1000, default=6)
    seeds = IntegerParameter("Trainings of each optimiser", minimum=1, maximum=100, default=5)
    batch = IntegerParameter("Samples in a batch, a quarter of all unless given", minimum=1,
                             maximum=1_000_000)  # fmt: skip
    target = FloatParameter("Validation loss to reach, the data set's unless given", minimum=1e-6,
                            maximum=100.0)  # fmt: skip
    cycles: Parameter[Any] = Parameter("Cycles of refinement of each inverse, 1 for a single step of INV; as 1,3",
                       default="1,3")  # fmt: skip
    refresh = IntegerParameter("Steps between refreshes of the factors, two epochs unless given", minimum=1)
    moved = FloatParameter("Relative change of a factor above which it is programmed again", minimum=0.0,
                           maximum=10.0, default=0.1)  # fmt: skip
    validation = FloatParameter("Share of the samples to validate with", minimum=0.01, maximum=0.99,
                                default=0.33)  # fmt: skip
    rate = FloatParameter("Learning rate of SGD or Adam, searched unless given", minimum=1e-9, maximum=1e3)
    momentum = FloatParameter("Momentum, searched unless given", minimum=0.0, maximum=0.9999)
    trust = FloatParameter("Largest change of a second-order step, searched unless given", minimum=1e-9,
                           maximum=1e6)  # fmt: skip
    damping = FloatParameter("Damping of the factors, searched unless given", minimum=1e-6, maximum=1e6)
    operation = FloatParameter("Energy of a digital operation, that of an H100 at its limit", units="J",
                               minimum=1e-18, default=H100_JOULES)  # fmt: skip
    bits = IntegerParameter("Precision of a factor that is refined", units="bit", minimum=3, maximum=44,
                            default=12)  # fmt: skip

    def needed(self) -> tuple[Operation, ...]:
        """Return nothing of a training that is all digital; else `needs`, and `multiply` for inverses that are refined."""
        if self.optimiser not in ("all", "second-order"):
            return ()
        return (*super().needed(), *(("multiply",) if max(self._cycles()) > 1 else ()))

    def check(self) -> Given:
        """Read the data, and see whether network, batch and optimisers fit it."""
        super().check()
        dataset = load_dataset(self.data)
        sizes = self._sizes(dataset)
        samples = split(dataset, self.validation, np.random.default_rng(self.seed))
        count = len(samples.x)
        batch = max(1, round(count / EVALUATIONS)) if self.batch is None else int(self.batch)
        if batch > count:
            raise InputError(
                f"batch is {batch}; {dataset.name} has {count} samples to train on, give that many at most"
            )
        kinds = tuple(GRIDS) if self.optimiser == "all" else (self.optimiser,)
        cycles = self._cycles() if "second-order" in kinds else ()
        self._check_settings(kinds)
        task = TrainingTask(
            samples, sizes, int(self.epochs), batch,
            dataset.target if self.target is None else float(self.target),
            2 * steps_in_epoch(count, batch) if self.refresh is None else int(self.refresh),
            float(self.moved), min(OF_FACTORS, count),
        )  # fmt: skip
        return Given(dataset, task, cycles, kinds)

    def prepare(self, given: Given, bench: Bench, rng: np.random.Generator) -> Prepared:
        """Check the limits, and whether the chip holds the largest factor."""
        if given.cycles:
            check_room(max(given.task.sizes), bench, max(given.cycles), int(self.bits))
        return super().prepare(given, bench, rng)

    def layout(self, plan: Prepared) -> Layout:
        """Declare tables of losses, of what the target takes, of inverses, refreshes and settings, and figures."""
        given: Given = plan.given
        trainings = int(self.seeds) * (len(given.kinds) + len(given.cycles))
        return layout(given.task.target, given.cycles, trainings, 1 + EVALUATIONS * given.task.epochs)

    def in_use(self, plan: Prepared) -> Mapping[str, tuple[float | str, str]]:
        """Return what was used where nothing was given."""
        task: TrainingTask = plan.given.task
        searched = dict.fromkeys(("rate", "momentum", "trust", "damping"), ("searched", "the search's"))
        return {
            **super().in_use(plan), **searched, "network": (",".join(map(str, task.sizes)), "the data set's"),
            "batch": (float(task.batch), "the data set's"), "target": (task.target, "the data set's"),
            "refresh": (float(task.refresh), "two epochs'"),
        }  # fmt: skip

    def run_title(self) -> str:
        """Return the data set, the network and the optimiser."""
        return f"Train {self.network or 'a network'} on {self.data}, {self.optimiser}"

    def estimate(self, given: Given, source: BenchSource) -> Estimate:
        """Estimate the pulses: every factor at every refresh, the first once; half of the cells hold zeros."""
        first, *rest = factor_sizes(given.task.sizes)
        each = steps_in_epoch(len(given.task.split.x), given.task.batch)
        refreshes = -(-given.task.epochs * each // given.task.refresh)
        cells = first**2 + refreshes * sum(size**2 for size in rest)
        return Estimate(pulses=round(PULSES_PER_CELL * cells * len(given.cycles) * int(self.seeds)))

    def execute(self, plan: Prepared, bench: Bench, stream: Stream) -> TrainingResult:
        """Search the settings, train by each optimiser from every seed, with the chip too, and compare."""
        given: Given = plan.given
        searching, *seeds = np.random.SeedSequence(int(self.seed)).spawn(1 + int(self.seeds))
        chosen = {kind: self._search(kind, given.task, searching, stream) for kind in given.kinds}
        outcomes = [
            OptimiserOutcome(
                kind, NUMBERS[kind], chosen[kind],
                [
                    self._follow(Trainings(given.task).digital(kind, chosen[kind], seed), NUMBERS[kind],
                                 place, stream)
                    for place, seed in enumerate(seeds)
                ],
            )
            for kind in given.kinds
        ]  # fmt: skip
        costs: dict[str, Any] = {}
        if given.cycles:
            with self.holding(plan, bench, stream) as holder:
                for cycles in given.cycles:
                    outcomes.append(
                        self._with_chip(given.task, chosen["second-order"], seeds, holder, cycles, stream)
                    )
                _count(holder, [one for outcome in outcomes if outcome.cycles for one in outcome.trained])
                costs = holder.costs()
            self._compare_refreshes(given.task, chosen["second-order"], seeds, outcomes, stream)
        for outcome in outcomes:
            self._record(outcome, given.task.target, stream)
        result = result_of(outcomes, given.task, float(self.operation), costs)
        stream.say(result.summary["in_words"])
        return result

    def conclude(self, plan: Prepared, result: TrainingResult) -> Conclusion:
        """Return in how many epochs each optimiser came to the target."""
        summary = result.summary
        parts = [
            f"{row['name']} {row['epochs']['median']:g}"
            if row["epochs"]["median"] is not None
            else f"{row['name']} in {row['epochs']['reached']} of {row['epochs']['of']}"
            for row in summary["optimisers"]
        ]
        worth = [
            f"{what}{summary[name]['in_words']}"
            for name, what in (("without_chip", "inverses in "), ("direct", ""))
            if summary.get(name)
        ]
        return Conclusion(joined(f"epochs to a loss of {summary['target']:g}: {joined(*parts)}", *worth))

    def _search(
        self, kind: str, task: TrainingTask, seed: np.random.SeedSequence, stream: Stream
    ) -> Mapping[str, float]:
        """Return the best settings of an optimiser, over networks that are not trained again afterwards."""
        grid = grid_of(kind, self._fixed(kind))
        stream.check()
        stream.progress(f"searching the settings of {kind}", 0, len(grid))

        def natural(*settings: Any) -> NaturalGradient:
            return NaturalGradient(*settings, refresh=task.refresh, samples=task.of_factors)

        trials = search(
            kind, grid, task.split, task.sizes, seed.spawn(SEARCHES) if len(grid) > 1 else seed.spawn(1),
            epochs=task.epochs, batch=task.batch, target=task.target, make_natural=natural,
        )  # fmt: skip
        for one in trials:
            values = {name: one.settings.get(name, np.nan) for name in SETTINGS}
            stream.record(
                "search", optimiser=NUMBERS[kind], **values, epochs=finite(one.epochs), loss=finite(one.loss)
            )
        stream.progress(f"searching the settings of {kind}", len(grid), len(grid))
        self._say_best(kind, trials, stream)
        return trials[0].settings

    def _say_best(self, kind: str, trials: list[Tried], stream: Stream) -> None:
        best = trials[0]
        values = ", ".join(f"{name} {value:g}" for name, value in best.settings.items())
        if not np.isfinite(best.epochs):
            stream.say(
                f"{kind}: none of {len(trials)} settings brings the median network to the target; {values} comes nearest, "
                f"with a loss of {best.loss:.3g}: give more epochs, or a higher target",
                "WARNING",
            )
            return
        edges = [
            name
            for name, values_tried in GRIDS[kind].items()
            if name in ("rate", "trust", "damping")
            and name not in self._fixed(kind)
            and best.settings[name] in (values_tried[0], values_tried[-1])
        ]
        edge = f"; at the edge of what was tried: {', '.join(edges)}" if edges else ""
        stream.say(f"{kind}: {values}, the best of {len(trials)} settings{edge}")

    def _follow(self, training: Any, optimiser: int, seed: int, stream: Stream) -> Trained:
        """Carry out a training and record it as it goes on."""
        trained = Trained()
        for trained, now in training:
            stream.check()
            stream.emit(
                "training", optimiser=optimiser, seed=seed, epoch=now.epoch,
                training_loss=finite(float(now.training_loss)),
                validation_loss=finite(float(now.validation_loss)), accuracy=float(now.accuracy),
                operations=trained.spent[-1]["operations"], pulses=trained.spent[-1]["pulses"],
            )  # fmt: skip
        return trained

    def _with_chip(
        self, task: TrainingTask, settings: Mapping[str, float], seeds: list[np.random.SeedSequence],
        holder: MatrixHolder, cycles: int, stream: Stream,
    ) -> OptimiserOutcome:  # fmt: skip
        outcome = OptimiserOutcome("second-order", number(cycles), settings, [], cycles)
        for place, seed in enumerate(seeds):
            stream.progress(f"training, {label(cycles)}", place, len(seeds))

            def report(step: int, factor: int, inverse: ChipInverse, seed: int = place) -> None:
                outcome.inverses.append((factor, inverse))
                stream.record(
                    "inverses", cycles=cycles, seed=seed, step=step, layer=factor // 2, of=factor % 2,
                    size=len(inverse.inverse), condition=inverse.condition, error=inverse.error, worst=inverse.worst,
                    pulses=inverse.pulses,
                )  # fmt: skip
                if not inverse.settled:
                    stream.say(
                        f"training {seed}, step {step}: {inverse.reason}; this factor is inverted in float64",
                        "WARNING",
                    )

            training = Trainings(task).with_chip(settings, seed, holder, cycles, report)
            outcome.trained.append(self._follow(training, outcome.number, place, stream))
        stream.progress(f"training, {label(cycles)}", len(seeds), len(seeds))
        return outcome

    def _compare_refreshes(
        self, task: TrainingTask, settings: Mapping[str, float], seeds: list[np.random.SeedSequence],
        outcomes: list[OptimiserOutcome], stream: Stream,
    ) -> None:  # fmt: skip
        """Train with other intervals of refreshes in float64, and count the pulses that their factors would take."""
        pulses = next(one for one in outcomes if one.cycles).pulses_a_factor()
        steps = task.epochs * steps_in_epoch(len(task.split.x), task.batch)
        for interval in (one for one in INTERVALS if one <= steps):
            for place, seed in enumerate(seeds):
                stream.check()
                *_, (trained, _) = Trainings(task).digital("second-order", settings, seed, interval)
                taken = trained.to_target(task.target)
                programmed = trained.factors_by(taken["epochs"])
                stream.record(
                    "refreshes", interval=interval, seed=place, epochs=finite(taken["epochs"]),
                    matrices=finite(taken["matrices"]),
                    pulses=finite(
                        sum(pulses.get(one, np.nan) for one in programmed) if np.isfinite(taken["epochs"]) else np.inf,
                    ),
                )  # fmt: skip

    def _record(self, outcome: OptimiserOutcome, target: float, stream: Stream) -> None:
        for place, trained in enumerate(outcome.trained):
            taken = trained.to_target(target)
            stream.record(
                "to_target", optimiser=outcome.number, seed=place,
                joules=finite(taken["chip_joules"] + float(self.operation) * taken["operations"]),
                **{
                    name: finite(taken[name])
                    for name in ("epochs", "operations", "matrices", "inversions", "pulses", "chip_seconds")
                },
            )  # fmt: skip

    def _fixed(self, kind: str) -> dict[str, float]:
        """Return the settings of an optimiser that were given."""
        return {
            name: float(getattr(self, name)) for name in GRIDS[kind] if getattr(self, name, None) is not None
        }

    def _check_settings(self, kinds: tuple[str, ...]) -> None:
        if self.rate is not None and {"sgd", "adam"} <= set(kinds):
            raise InputError(
                f"rate is {self.rate:g}, and the rates of SGD and Adam differ: choose one of them by optimiser"
            )
        for name in ("rate", "momentum", "trust", "damping"):
            if getattr(self, name) is not None and not any(name in GRIDS[kind] for kind in kinds):
                having = ", ".join(kind for kind, grid in GRIDS.items() if name in grid)
                raise InputError(
                    f"{name} is {getattr(self, name):g}, and optimiser {kinds[0]} has none; it is a setting of {having}"
                )

    def _sizes(self, dataset: Dataset) -> tuple[int, ...]:
        """Return the sizes of the layers, which must be those of the data at both ends."""
        features, classes = dataset.x.shape[1], dataset.classes
        if self.network is None or not str(self.network).strip():
            sizes = [features, max(4, features // 4), classes]
        else:
            sizes = [_size(part, str(self.network)) for part in str(self.network).split(",")]
        if len(sizes) < 2 or sizes[0] != features or sizes[-1] != classes:
            raise InputError(
                f"the network {','.join(map(str, sizes))} does not fit {dataset.name}, which has {features} features and "
                f"{classes} classes: give {features},…,{classes}"
            )
        if len(sizes) > MOST_LAYERS + 1 or max(sizes) > LARGEST_LAYER:
            raise InputError(
                f"the network {','.join(map(str, sizes))} has {len(sizes) - 1} layers of up to {max(sizes)} lines; give at "
                f"most {MOST_LAYERS} layers of {LARGEST_LAYER}"
            )
        return tuple(sizes)

    def _cycles(self) -> tuple[int, ...]:
        try:
            cycles = sorted({int(part) for part in str(self.cycles).split(",")})
        except ValueError:
            cycles = [0]
        if not 1 <= cycles[0] <= cycles[-1] <= MOST_CYCLES:
            raise InputError(
                f"cycles is {self.cycles!r}; give whole numbers from 1 to {MOST_CYCLES}, as 1 or 1,3"
            )
        return tuple(cycles)


def _count(holder: MatrixHolder, trained: Sequence[Trained]) -> None:
    """Count the multiplications beside the inverses, half of all operations, and those of the inverses by Cholesky."""
    holder.beside.digital["beside"] += sum(one.beside for one in trained) // 2
    inverting = sum(one.inverting for one in trained) // 2
    holder.replace_direct(DirectSolve("Cholesky", inverting, 0), 1)


def _size(part: str, whole: str) -> int:
    try:
        size = int(part)
    except ValueError:
        size = 0
    if size < 1:
        raise InputError(f"network is {whole!r}; give the sizes of the layers as whole numbers, as 64,16,10")
    return size
