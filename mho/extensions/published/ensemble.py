"""The chips on which a published experiment is repeated: one bench, and a chip of its own for every seed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from mho.chip_maps import parse_chip_map
from mho.errors import InputError
from mho.instruments import ArrayBench, Bench, open_bench
from mho.instruments.arrays import as_arrays
from mho.instruments.bench_file import BenchSource, load_bench_file
from mho.instruments.laboratory import AMPLIFIER_LIMIT

LEVELS = 8  # of a published cell


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
                told = [one.detail for one in incidents if one.kind == AMPLIFIER_LIMIT]
                self.limited.extend(told[:1])
