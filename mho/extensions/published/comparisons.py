"""What is found on the virtual bench beside what is published: a row a number, a curve a cycle, and the verdict.

Each number of the reference paper has how it was read: printed, read off a figure, or open.

An experiment is repeated on the chips of one bench, a chip of its own for every seed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import resources
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.chip_maps import parse_chip_map
from mho.errors import InputError, RunFileError
from mho.extensions.published.rejection import Rejection
from mho.instruments import ArrayBench, Bench, open_bench
from mho.instruments.arrays import as_arrays
from mho.instruments.bench_file import BenchSource, load_bench_file
from mho.instruments.laboratory import AMPLIFIER_LIMIT
from mho.runs import Figure, Table
from mho.toml import load_toml

LEVELS = 8  # of a published cell
Tell = Callable[[int, int], None]  # told how many chips are done, of how many
Drawn = TypeVar("Drawn")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Setup:
    """A bench and its chips."""

    bench: str  # a packaged bench or a file
    preset: str | None  # cells in place of the bench's
    # chips, seed: how many chips, and the seed that they are drawn from
    chips: int
    seed: int
    wire: bool = False  # at the wire of simulated instruments, rather than a whole array at a time
    # What amplifiers of chips so far were asked for and did not give, a sentence a chip
    limited: list[str] = field(default_factory=list, compare=False)

    @cached_property
    def source(self) -> BenchSource:
        """The bench as it is opened."""
        source = load_bench_file(self.bench)
        return source if self.wire else as_arrays(source, self.preset)

    def generators(self, of: int) -> list[np.random.Generator]:
        """Return a generator a chip for one of the experiments, whichever others are carried out."""
        return np.random.default_rng([self.seed, of]).spawn(self.chips)

    def check(self) -> None:
        """Refuse a bench on which the experiments cannot be repeated, before anything is opened.

        Raises `InputError`: for real instruments at the wire, and a chip without the arrays or the eight levels of the
        paper's.
        """
        simulation = load_bench_file(self.bench).bench.simulation
        if self.wire and simulation is None:
            raise InputError(
                f"bench {self.bench!r} has real instruments, and chips are drawn here: leave out --wire, so that they are "
                "replaced"
            )
        if self.wire and simulation is not None and not simulation.instruments:
            raise InputError(
                f"bench {self.bench!r} has no instruments, so there is no wire: leave out --wire, or give a bench with "
                "instruments, such as zuo2025"
            )
        chip = parse_chip_map(self.source.chip_text, self.source.bench.chip)
        for purpose in ("invert", "multiply"):
            if not chip.arrays_for(purpose):
                raise InputError(
                    f"chip {chip.name!r} has no array to {purpose}; the experiments take both kinds"
                )
        if (levels := chip.level_scale().top + 1) != LEVELS:
            raise InputError(
                f"cells of chip {chip.name!r} have {levels} levels; the published experiments are of {LEVELS}: give a "
                "bench such as zuo2025"
            )

    def on_chips(
        self, number: int, tell: Tell, measure: Callable[[Bench, np.random.Generator, Drawn], Answer],
        draw: Callable[[np.random.Generator], Drawn], *refusals: type[Exception],
    ) -> tuple[list[Answer], list[str]]:  # fmt: skip
        """Measure on a chip after the other; return the answers, and why chips gave none.

        `number`: of the experiment; `draw`: what is drawn before a chip is, for `measure`; `refusals`: errors with which a
        chip gives no answer.
        """
        answers, lost = [], []
        for done, rng in enumerate(self.generators(number), 1):
            drawn = draw(rng)
            try:
                with self.chip(rng) as bench:
                    answers.append(measure(bench, rng, drawn))
            except refusals as error:
                lost.append(str(error))
            tell(done, self.chips)
        return answers, lost

    @contextmanager
    def chip(self, rng: np.random.Generator) -> Iterator[Bench]:
        """Open the bench with a chip drawn by the generator."""
        seed = int(rng.integers(2**63))
        with (
            open_bench(self.bench, preset=self.preset, seed=seed)
            if self.wire
            else ArrayBench(self.source, preset=self.preset, seed=seed)
        ) as bench:
            try:
                yield bench
            finally:  # the answers do not show it
                incidents = [] if bench.simulated is None else bench.simulated.incidents
                details = [one.detail for one in incidents if one.kind == AMPLIFIER_LIMIT]
                self.limited.extend(details[:1])


How = Literal["printed", "read off", "open"]


@dataclass(frozen=True)
class PublishedNumber:
    """One quantity of the paper."""

    values: NDArray[np.float64]  # (k,): empty where it is not published
    unit: str
    how: How  # "printed", "read off" or "open"
    reading: float  # relative standard error of reading it off a figure; 0 of what is printed

    @property
    def one(self) -> float | None:
        """The only value; None where it is not published or there are several."""
        return float(self.values[0]) if self.values.size == 1 else None


@dataclass(frozen=True)
class PublishedExperiment:
    """What is published of an experiment: its title, and its quantities by name."""

    title: str
    numbers: Mapping[str, PublishedNumber]

    def __getitem__(self, quantity: str) -> PublishedNumber:
        return self.numbers[quantity]


@cache
def published_numbers() -> dict[str, PublishedExperiment]:
    """Return what is published, by experiment."""
    text = (resources.files(__package__) / "paper_numbers.toml").read_text("utf-8")
    read = load_toml(text, "the published numbers", RunFileError)
    return {
        name: PublishedExperiment(
            entry["title"], {quantity: _number(one) for quantity, one in entry.items() if quantity != "title"}
        )
        for name, entry in read.items()
    }


def _number(entry: Mapping[str, Any]) -> PublishedNumber:
    values = np.asarray(entry["values"], np.float64)
    return PublishedNumber(values, entry.get("unit", ""), entry["how"], float(entry.get("reading", 0.0)))


SHARES = (0.05, 0.5, 0.95)  # of the chips, below the three numbers by which an ensemble is told


@dataclass(frozen=True)
class PublishedComparison:
    """One number on the chips beside the published one."""

    quantity: str
    number: int  # of the cycle, or which of several; 0 for a quantity of one number
    published: float | None  # none where it is not published
    how: str  # how that was read
    # low, median, high: of the chips: 5 %, half and 95 % lie below; NaN where nothing was found
    low: float
    median: float
    high: float
    below: float  # share of the chips below the published number; NaN without one
    unit: str = ""

    @classmethod
    def of(
        cls, quantity: str, samples: ArrayLike, published: PublishedNumber, number: int = 0,
        value: float | None = None,
    ) -> PublishedComparison:  # fmt: skip
        """Compare what chips (N,) came to with a published number, its only one unless `value` says which."""
        values = np.asarray(samples, np.float64).ravel()
        beside = published.one if value is None else value
        low, median, high = np.quantile(values, SHARES) if values.size else (np.nan,) * 3
        below = np.nan if beside is None or not values.size else float(np.mean(values < beside))
        return cls(
            quantity, number, beside, published.how, float(low), float(median), float(high), below, published.unit
        )  # fmt: skip

    @property
    def deviation(self) -> float:
        """The chips' median over the published number; NaN where either is missing, or the published one is 0."""
        return self.median / self.published if self.published else np.nan

    def plain(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        values = {name: getattr(self, name) for name in ("low", "median", "high", "below", "deviation")}
        numbers = {name: None if np.isnan(value) else value for name, value in values.items()}
        return {
            "quantity": self.quantity,
            "number": self.number,
            "published": self.published,
            "how": self.how,
            "unit": self.unit,
        } | numbers


@dataclass(frozen=True)
class ExperimentOutcome:
    """What came of one experiment."""

    rows: tuple[PublishedComparison, ...] = ()
    # Columns of the run file's tables, by table
    tables: Mapping[str, Mapping[str, ArrayLike]] = field(default_factory=dict)
    rejection: Rejection | None = None  # of a published curve; None where there is none to test
    # (float, float): the factors a cycle that so many chips would have seen, as `rejection.detectable`
    seen: tuple[float, float] | None = None
    # Further numbers and words for the result: wrong integers, pulses
    facts: Mapping[str, Any] = field(default_factory=dict)
    open_: tuple[str, ...] = ()  # what is not told, and why

    def plain(self) -> dict[str, Any]:
        """Return it as JSON has it, without the tables."""
        entries: dict[str, Any] = {"numbers": [row.plain() for row in self.rows], **self.facts}
        if self.rejection is not None:
            entries |= {
                "p": self.rejection.p, "least_p": self.rejection.least, "verdict": self.rejection.in_words(),
            }  # fmt: skip
        if self.seen is not None:
            entries["seen_factors_a_cycle"] = [one if np.isfinite(one) else None for one in self.seen]
        return entries | ({"open": list(self.open_)} if self.open_ else {})


class Experiment(ABC):
    """One experiment of the paper, on the virtual bench; `name` is how it is typed."""

    name: str

    @cached_property
    def published(self) -> PublishedExperiment:
        """What the paper says."""
        return published_numbers()[self.name]

    @abstractmethod
    def declared(self) -> tuple[tuple[Table, ...], tuple[Figure, ...]]:
        """Return tables and figures of the run file."""

    @abstractmethod
    def carry_out(self, setup: Setup, tell: Tell) -> ExperimentOutcome:
        """Carry it out on the chips of a set-up."""
