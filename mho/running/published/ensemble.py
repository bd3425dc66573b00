"""The chips on which a published experiment is repeated: one bench, and a chip of its own for every seed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mho.instruments import ArrayBench, Bench, open_bench
from mho.instruments.arrays import as_arrays
from mho.instruments.bench_file import BenchSource, load_bench_file


@dataclass(frozen=True)
class Setup:
    """A bench and its chips.

    Attributes
    ----------
    bench : str
        A packaged bench or a file.
    preset : str or None
        Cells in place of the bench's.
    chips, seed : int
        How many chips, and the seed that they are drawn from.
    wire : bool
        At the wire of simulated instruments, rather than a whole array at a time.
    """

    bench: str
    preset: str | None
    chips: int
    seed: int
    wire: bool = False

    @cached_property
    def source(self) -> BenchSource:
        """The bench as it is opened."""
        source = load_bench_file(self.bench)
        return source if self.wire else as_arrays(source, self.preset)

    def generators(self, of: int) -> list[np.random.Generator]:
        """Return a generator a chip for one of the experiments, whichever others are carried out."""
        return np.random.default_rng([self.seed, of]).spawn(self.chips)

    @contextmanager
    def chip(self, rng: np.random.Generator) -> Iterator[Bench]:
        """Open the bench with a chip drawn by the generator."""
        seed = int(rng.integers(2**63))
        with (
            open_bench(self.bench, preset=self.preset, seed=seed)
            if self.wire
            else ArrayBench(self.source, preset=self.preset, seed=seed)
        ) as bench:
            yield bench
