"""Experiments of the paper that other parts of mho repeat: named here, so that none is missing from the list."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from mho.running.published.comparisons import Compared, Outcome, Tell
from mho.running.published.ensemble import Setup
from mho.running.published.paper_numbers import PublishedExperiment, published_numbers
from mho.runs import Figure, Table


@dataclass(frozen=True)
class Elsewhere:
    """An experiment that a command of its own repeats.

    Attributes
    ----------
    name, command : str
        As they are typed.
    quantity : str
        Of the published numbers.
    """

    name: str
    command: str
    quantity: str

    @cached_property
    def published(self) -> PublishedExperiment:
        """What the paper says."""
        return published_numbers()[self.name]

    @property
    def tables(self) -> tuple[Table, ...]:
        """No tables."""
        return ()

    @property
    def figures(self) -> tuple[Figure, ...]:
        """No figures."""
        return ()

    def carry_out(self, setup: Setup, tell: Tell) -> Outcome:
        """Return the published numbers alone, and the command that repeats them."""
        tell(setup.chips, setup.chips)
        number = self.published[self.quantity]
        rows = tuple(
            Compared.of(self.quantity.replace("_", " "), (), number, place, float(value))
            for place, value in enumerate(number.values, 1)
        )
        return Outcome(rows, open_=(f"repeated by `{self.command}`, not here",))


MIMO_SMALL = Elsewhere("mimo-16x4", "mho run mimo --antennas 16 --users 4", "bit_error_rate")
MIMO_LARGE = Elsewhere("mimo-128x8", "mho run mimo --antennas 128 --users 8", "bit_error_rate")
THROUGHPUT = Elsewhere("throughput", "mho projection", "operations")
