"""The paper's application and its projection: bit error rates of massive MIMO, and throughput against N.

The detection of 16 x 4 antennas fits one loop of the published array, 8 x 8 as a real matrix; that of 128 x 8, 16 x 16 as
a real one, is held in one loop of the bench `arrays`, as blocks would take too long for error rates. A channel is drawn for
every chip; bits are counted over all chips together. As in the other experiments the matrix is held in 24 bits and
corrections in 12.

The published rate of 16 x 4 is that of one channel, and float32 makes more errors on most: the best of a thousand is
taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.analysis.projection import PUBLISHED, published_deviations
from mho.confidence import clustered_binomial_interval
from mho.errors import ConvergenceError
from mho.procedures import Mimo
from mho.running.execution import evaluate
from mho.running.published.comparisons import Compared, Experiment, Outcome, Tell
from mho.running.published.complex_curves import GOOD, best_channel
from mho.running.published.ensemble import Setup
from mho.runs import Column, Figure, Table

Floats = NDArray[np.float64]

BITS_A_CHIP = 3200  # at every signal-to-noise ratio
BITS, CORRECTION_BITS = (
    24,
    12,
)  # of the matrix in the products, and of what a cycle adds, as in the other experiments
RATES = ("published", "chips", "low", "high", "float32")


@dataclass(frozen=True)
class BitErrors(Experiment):
    """Bit error rates after so many cycles, at the published signal-to-noise ratios.

    Attributes
    ----------
    name, short : str
        As it is typed, and in names of tables.
    antennas, users, cycles : int
    bench : str
        Instead of the set-up's, for a matrix that its array does not hold; "" for that.
    number : int
        Of its chips, among the experiments'.
    channels : int
        Drawn for every chip, of which the one with the smallest condition number is used.
    """

    name: str
    short: str
    antennas: int
    users: int
    cycles: int
    bench: str
    number: int
    channels: int = 1

    @property
    def tables(self) -> tuple[Table, ...]:
        """Tables of the run file."""
        columns = (Column("snr", "dB"), *(Column(one, description=f"bit error rate, {one}") for one in RATES))
        return (Table(f"rates_{self.short}", columns, title=self.published.title, signal="chips"),)

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Figures of the run file."""
        return (
            Figure(
                f"rates_{self.short}",
                self.published.title,
                table=f"rates_{self.short}",
                x="snr",
                y=RATES,
                y_scale="log",
            ),
        )

    def carry_out(self, setup: Setup, tell: Tell) -> Outcome:
        """Detect on every chip, and count."""
        where = replace(setup, bench=self.bench) if self.bench else setup
        ratios = self.published["snr"].values
        found, lost = [], ""
        for done, rng in enumerate(setup.generators(self.number), 1):
            job, seed = self._job(ratios, rng), int(rng.integers(2**31))
            try:
                with where.chip(rng) as bench:
                    found.append(evaluate(job, bench, seed=seed)["by_snr"])
            except ConvergenceError as error:
                lost = str(error)
            tell(done, setup.chips)
        told = tuple(filter(None, (self._where(), lost)))
        return self._compared(found, told) if found else Outcome(open_=told)

    def _job(self, ratios: Floats, rng: np.random.Generator) -> Mimo:
        return Mimo(
            channel=best_channel(self.antennas, self.users, self.channels, rng),
            snr=", ".join(f"{one:g}" for one in ratios),
            cycles=self.cycles,
            bits_per_point=BITS_A_CHIP,
            bits=BITS,
            correction_bits=CORRECTION_BITS,
            seed=int(rng.integers(10**9)),
        )

    def _where(self) -> str:
        return f"on bench {self.bench!r}, whose loop holds it whole" if self.bench else ""

    def _compared(self, found: list[list[Mapping[str, Any]]], told: tuple[str, ...]) -> Outcome:
        """Return the rates of all chips together beside the published ones."""
        chip = f"after cycle {self.cycles}"
        rows, rates = [], []
        for place, value in enumerate(self.published["bit_error_rate"].values):
            each = [points[place] for points in found]
            bits = sum(point["bits"] for point in each)
            ours, single = (sum(point[name] * point["bits"] for point in each) for name in (chip, "float32"))
            low, high = clustered_binomial_interval(
                [point[chip] * point["bits"] for point in each], [point["bits"] for point in each]
            )
            snr = float(self.published["snr"].values[place])
            row = Compared.of(
                f"bit error rate at {snr:g} dB",
                [point[chip] for point in each],
                self.published["bit_error_rate"],
                place + 1,
                float(value),
            )
            rows.append(replace(row, low=float(low), median=ours / bits, high=float(high)))
            rates.append((snr, float(value), ours / bits, low, high, single / bits))
        columns = dict(zip(("snr", *RATES), np.array(rates).T, strict=True))
        facts = {
            "bits_a_point": bits,
            "float32": [one[-1] for one in rates],
        }
        singles = ", ".join(f"{one[-1]:.2g}" for one in rates)
        told = (
            *told,
            f"medians are all chips' {bits} bits a point together, between their 95 % interval, chips as units; float32 on "
            f"the same channels: {singles}",
            "the channel is not published: "
            + (
                "one is drawn for every chip"
                if self.channels == 1
                else f"the best conditioned of {self.channels} is taken for every chip"
            ),
        )
        return Outcome(tuple(rows), {f"rates_{self.short}": columns}, facts=facts, open_=told)


@dataclass(frozen=True)
class Throughput(Experiment):
    """Equivalent operations a second against N, from the published assumptions; a model, without any chip."""

    name: str = "throughput"

    @property
    def tables(self) -> tuple[Table, ...]:
        """Tables of the run file."""
        columns = (Column("size", dtype="u4"), Column("published", "1/s"), Column("model", "1/s"))
        return (Table("throughput", columns, title=self.published.title),)

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Figures of the run file."""
        return (
            Figure(
                "throughput",
                self.published.title,
                table="throughput",
                x="size",
                y=("published", "model"),
                x_scale="log",
                y_scale="log",
            ),
        )

    def carry_out(self, setup: Setup, tell: Tell) -> Outcome:
        """Compute the model beside the published curve."""
        published = self.published["operations"]
        model = published.values * (1.0 + np.array(published_deviations(PUBLISHED)))
        tell(setup.chips, setup.chips)
        rows = tuple(
            Compared.of(f"operations a second, N = {size:g}", [ours], published, place, float(theirs))
            for place, (size, theirs, ours) in enumerate(
                zip(self.published["size"].values, published.values, model, strict=True), 1
            )
        )
        columns = {
            "size": self.published["size"].values.astype(np.int64),
            "published": published.values,
            "model": model,
        }
        told = (
            "a model, not chips: `mho projection` has its assumptions, energy, and what it is compared with",
        )
        return Outcome(rows, {"throughput": columns}, open_=told)


MIMO_SMALL = BitErrors("mimo-16x4", "mimo4", 16, 4, 2, "", 7, GOOD)
MIMO_LARGE = BitErrors("mimo-128x8", "mimo8", 128, 8, 3, "arrays", 8)
THROUGHPUT = Throughput()
