"""The experiments of the reference paper, by the names under which they are asked for.

The detection of 16 x 4 antennas fits one loop of the published array, 8 x 8 as a real matrix; that of 128 x 8, 16 x 16 as
a real one, is held in one loop of the bench `arrays`, as blocks would take too long for error rates. A channel is drawn for
every chip; bits are counted over all chips together. As in the other experiments the matrix is held in 24 bits and
corrections in 12.

The published rate of 16 x 4 is that of one channel, and float32 makes more errors on most: the best of a thousand is
taken.

Both hold their matrix in the published 24 bits, eight slices of three, cut off: what is left out makes their floor.
Neither matrix is printed. These are the Gram matrices H^H H / m of m x n complex Gaussian channels, one a chip, as in the
paper's detection of MIMO signals with the same numbers of users: 16 x 4, the best conditioned of a thousand, and 128 x 8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Complexes, Floats
from mho.chip_maps import to_real
from mho.confidence import clustered_binomial_interval
from mho.errors import ChipMapError, ConvergenceError, InputError
from mho.extensions.published.as_published import biased_loop, refine_as_published, refine_on_chip
from mho.extensions.published.comparisons import (
    Experiment,
    ExperimentOutcome,
    PublishedComparison,
    PublishedNumber,
    Setup,
    Tell,
)
from mho.extensions.published.curves import TWELVE, TWENTY_FOUR, curve_columns, curve_layout, relative_errors
from mho.extensions.published.devices import LevelStatistics, SettlingCurve
from mho.instruments import Bench
from mho.procedures import nearest
from mho.running import evaluate
from mho.runs import Column, Figure, Table

if TYPE_CHECKING:
    from mho.extensions.applications import Mimo

COMPLEX_BITS, CYCLES = 24, 10
# Channels of 16 x 4, of which the best conditioned is taken: at the published 23 dB even one of orthogonal
# columns makes float32 err in 5.0e-4 of the bits, and the published image shows none
GOOD = 1000


def best_channel(antennas: int, users: int, count: int, rng: np.random.Generator) -> Complexes:
    """Return of `count` channels of complex Gaussian numbers of variance 1, (antennas, users), the best conditioned one."""
    parts = rng.standard_normal((count, 2, antennas, users))
    channels = np.asarray((parts[:, 0] + 1j * parts[:, 1]) / np.sqrt(2.0))
    return np.asarray(channels[np.argmin(np.linalg.cond(channels))])


def gram(channel: Complexes) -> Complexes:
    """Return H^H H / antennas of a channel, (users, users)."""
    return np.asarray(channel.conj().T @ channel / len(channel))


@dataclass(frozen=True)
class ComplexCurve(Experiment):
    """One of the complex experiments."""

    # name, short: as it is typed, and in names of tables
    name: str
    short: str
    # antennas, users: of the channel
    antennas: int
    users: int
    columns: int  # right-hand sides; 0 for the inverse, a unit vector a column
    number: int  # of its chips, among the experiments'
    channels: int = 1  # drawn for every chip, of which the one with the smallest condition number is used

    def declared(self) -> tuple[tuple[Table, ...], tuple[Figure, ...]]:
        """Return tables and figures of the run file."""
        return curve_layout(
            self.short, self.published.title, [CYCLES], self.published["final"].values.tolist()
        )

    def carry_out(self, setup: Setup, tell: Tell) -> ExperimentOutcome:
        """Refine on every chip."""
        each, refused = setup.on_chips(
            self.number, tell, self._errors,
            lambda rng: gram(best_channel(self.antennas, self.users, self.channels, rng)),
            ChipMapError, ConvergenceError, InputError,
        )  # fmt: skip
        remarks = ["the matrix is not printed: Gram matrices of Gaussian channels stand for it"]
        if refused:
            remarks.append(f"{len(refused)} of {setup.chips} chips refused it: {refused[0]}")
        if not each:
            return ExperimentOutcome(open_=tuple(remarks))
        curves, integers, wrong = zip(*each, strict=True)
        rows, tables = self._compared(np.stack(curves))
        facts = {"integers": sum(integers), "wrong_integers": sum(wrong), "refused": len(refused)}
        return ExperimentOutcome(tuple(rows), tables, facts=facts, open_=tuple(remarks))

    def _compared(
        self, curves: Floats
    ) -> tuple[list[PublishedComparison], dict[str, dict[str, NDArray[np.generic]]]]:
        """Return curves (chips, cycles) beside what is published: the last error."""
        final, unknown = self.published["final"], PublishedNumber(np.empty(0), "", "open", 0.0)
        rows = [
            PublishedComparison.of(
                "relative error", curves[:, cycle], final if cycle == CYCLES - 1 else unknown, cycle + 1
            )
            for cycle in range(CYCLES)
        ]
        return rows, curve_columns(self.short, curves, rows)

    def _errors(self, bench: Bench, rng: np.random.Generator, matrix: Complexes) -> tuple[Floats, int, int]:
        """Return the errors (cycles,) on one chip, the root mean square over the columns, integers, and wrong ones."""
        seed = int(rng.integers(2**31))
        if not self.columns:
            real = to_real(matrix)
            outcome = refine_on_chip(bench, real, CYCLES, COMPLEX_BITS, seed)
            inverse = np.linalg.inv(real)
            errors = np.linalg.norm(outcome.inverses - inverse, axis=(1, 2)) / np.linalg.norm(inverse)
            return np.asarray(errors), outcome.outputs, outcome.wrong
        parts = rng.uniform(-1.0, 1.0, (2, self.users, self.columns))
        real, rhs = to_real(matrix), np.concatenate(list(parts))
        scale = (1.0 - 2.0**-COMPLEX_BITS) / np.abs(real).max()  # the largest entry has the largest digits
        loop = biased_loop(bench, scale * real, np.random.default_rng([seed, 1]))
        refined = refine_as_published(bench, scale * real, scale * rhs, CYCLES, COMPLEX_BITS, loop=loop)
        each = relative_errors(refined.solutions, np.linalg.solve(real, rhs))
        return np.sqrt(np.square(each).mean(axis=1)), refined.outputs, refined.wrong


FOUR = ComplexCurve("complex-4x4", "complex4", 16, 4, 100, 5, GOOD)
EIGHT = ComplexCurve("complex-8x8", "complex8", 128, 8, 0, 6)


BITS_A_CHIP = 3200  # at every signal-to-noise ratio
# Of the matrix in the products, and of what a cycle adds, as in the other experiments
BITS, CORRECTION_BITS = 24, 12
RATES = ("published", "chips", "low", "high", "float32")


@dataclass(frozen=True)
class BitErrors(Experiment):
    """Bit error rates after so many cycles, at the published signal-to-noise ratios."""

    # name, short: as it is typed, and in names of tables
    name: str
    short: str
    antennas: int
    users: int
    cycles: int
    bench: str  # instead of the set-up's, for a matrix that its array does not hold; "" for that
    number: int  # of its chips, among the experiments'
    channels: int = 1  # drawn for every chip, of which the one with the smallest condition number is used

    def declared(self) -> tuple[tuple[Table, ...], tuple[Figure, ...]]:
        """Return tables and figures of the run file."""
        columns = (Column("snr", "dB"), *(Column(one, description=f"bit error rate, {one}") for one in RATES))
        table = Table(f"rates_{self.short}", columns, title=self.published.title, signal="chips")
        return (table,), (
            Figure(f"rates_{self.short}", self.published.title, table=f"rates_{self.short}", x="snr", y=RATES,
                   y_scale="log"),
        )  # fmt: skip

    def carry_out(self, setup: Setup, tell: Tell) -> ExperimentOutcome:
        """Detect on every chip, and count."""
        where = replace(setup, bench=self.bench) if self.bench else setup
        ratios = self.published["snr"].values

        def measure(
            bench: Bench, rng: np.random.Generator, drawn: tuple[Mimo, int]
        ) -> list[Mapping[str, Any]]:
            job, seed = drawn
            rates: list[Mapping[str, Any]] = evaluate(job, bench, seed=seed)["by_snr"]
            return rates

        answers, lost = where.on_chips(
            self.number, tell, measure, lambda rng: (self._job(ratios, rng), int(rng.integers(2**31))),
            ConvergenceError,
        )  # fmt: skip
        remarks = tuple(filter(None, (self._where(), *lost[-1:])))
        return self._compared(answers, remarks) if answers else ExperimentOutcome(open_=remarks)

    def _job(self, ratios: Floats, rng: np.random.Generator) -> Mimo:
        from mho.extensions.applications import Mimo

        return Mimo(
            channel=best_channel(self.antennas, self.users, self.channels, rng),
            snr=", ".join(f"{one:g}" for one in ratios), cycles=self.cycles, bits_per_point=BITS_A_CHIP,
            bits=BITS, correction_bits=CORRECTION_BITS, seed=int(rng.integers(10**9)),
        )  # fmt: skip

    def _where(self) -> str:
        return f"on bench {self.bench!r}, whose loop holds it whole" if self.bench else ""

    def _compared(
        self, answers: list[list[Mapping[str, Any]]], remarks: tuple[str, ...]
    ) -> ExperimentOutcome:
        """Return the rates of all chips together beside the published ones."""
        chip = f"after cycle {self.cycles}"
        rows, rates = [], []
        for place, value in enumerate(self.published["bit_error_rate"].values):
            each = [points[place] for points in answers]
            bits = sum(point["bits"] for point in each)
            ours, single = (sum(point[name] * point["bits"] for point in each) for name in (chip, "float32"))
            low, high = clustered_binomial_interval(
                [point[chip] * point["bits"] for point in each], [point["bits"] for point in each]
            )
            snr = float(self.published["snr"].values[place])
            row = PublishedComparison.of(
                f"bit error rate at {snr:g} dB", [point[chip] for point in each],
                self.published["bit_error_rate"], place + 1, float(value),
            )  # fmt: skip
            rows.append(replace(row, low=float(low), median=ours / bits, high=float(high)))
            rates.append((snr, float(value), ours / bits, low, high, single / bits))
        columns = dict(zip(("snr", *RATES), np.array(rates).T, strict=True))
        facts = {"bits_a_point": bits, "float32": [one[-1] for one in rates]}
        singles = ", ".join(f"{one[-1]:.2g}" for one in rates)
        remarks = (
            *remarks,
            f"medians are all chips' {bits} bits a point together, between their 95 % interval, chips as units; float32 on "
            f"the same channels: {singles}",
            "the channel is not published: "
            + (
                "one is drawn for every chip"
                if self.channels == 1
                else f"the best conditioned of {self.channels} is taken for every chip"
            ),
        )
        return ExperimentOutcome(tuple(rows), {f"rates_{self.short}": columns}, facts=facts, open_=remarks)


@dataclass(frozen=True)
class Throughput(Experiment):
    """Equivalent operations a second against N, from the published assumptions; a model, without any chip."""

    name: str = "throughput"

    def declared(self) -> tuple[tuple[Table, ...], tuple[Figure, ...]]:
        """Return tables and figures of the run file."""
        columns = (Column("size", dtype="u4"), Column("published", "1/s"), Column("model", "1/s"))
        return (Table("throughput", columns, title=self.published.title),), (
            Figure("throughput", self.published.title, table="throughput", x="size", y=("published", "model"),
                   x_scale="log", y_scale="log"),
        )  # fmt: skip

    def carry_out(self, setup: Setup, tell: Tell) -> ExperimentOutcome:
        """Compute the model beside the published curve."""
        from mho.extensions.projection import PUBLISHED, published_deviations

        published = self.published["operations"]
        model = published.values * (1.0 + np.array(published_deviations(PUBLISHED)))
        tell(setup.chips, setup.chips)
        rows = tuple(
            PublishedComparison.of(
                f"operations a second, N = {size:g}", [ours], published, place, float(theirs)
            )
            for place, (size, theirs, ours) in enumerate(
                zip(self.published["size"].values, published.values, model, strict=True), 1
            )
        )
        columns = {
            "size": self.published["size"].values.astype(np.int64),
            "published": published.values,
            "model": model,
        }
        remarks = (
            "a model, not chips: `mho projection` has its assumptions, energy, and what it is compared with",
        )
        return ExperimentOutcome(rows, {"throughput": columns}, open_=remarks)


MIMO_SMALL = BitErrors("mimo-16x4", "mimo4", 16, 4, 2, "", 7, GOOD)
MIMO_LARGE = BitErrors("mimo-128x8", "mimo8", 128, 8, 3, "arrays", 8)
THROUGHPUT = Throughput()


def _present(extension: str, *experiments: Experiment) -> tuple[Experiment, ...]:
    """Return the experiments that stand on another extension, where that is there."""
    return experiments if find_spec(f"mho.extensions.{extension}") else ()


# In the paper's order
EXPERIMENTS: dict[str, Experiment] = {
    one.name: one
    for one in (
        LevelStatistics(), TWELVE, TWENTY_FOUR, FOUR, EIGHT, SettlingCurve(),
        *_present("applications", MIMO_SMALL, MIMO_LARGE), *_present("projection", THROUGHPUT),
    )
}  # fmt: skip


def named_experiments(names: Sequence[str]) -> list[Experiment]:
    """Return the experiments of these names in the paper's order, each once; all where no name is given.

    Raises `InputError`: for an unknown name, with the nearest one.
    """
    for name in names:
        if name not in EXPERIMENTS:
            raise InputError(f"unknown experiment {name!r}: {nearest(name, EXPERIMENTS)}")
    return [one for name, one in EXPERIMENTS.items() if name in names or not names]
