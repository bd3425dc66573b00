"""The experiments of the reference paper, by the names under which they are asked for."""

from __future__ import annotations

from collections.abc import Sequence

from mho.errors import InputError
from mho.procedures.manifest import nearest
from mho.running.published.applications import MIMO_LARGE, MIMO_SMALL, THROUGHPUT
from mho.running.published.comparisons import Experiment
from mho.running.published.complex_curves import EIGHT, FOUR
from mho.running.published.curves import TWELVE, TWENTY_FOUR
from mho.running.published.devices import Levels, Settling

EXPERIMENTS: dict[str, Experiment] = {
    one.name: one
    for one in (
        Levels(), TWELVE, TWENTY_FOUR, FOUR, EIGHT, Settling(), MIMO_SMALL, MIMO_LARGE, THROUGHPUT,
    )
}  # fmt: skip
"""In the paper's order."""


def named_experiments(names: Sequence[str]) -> list[Experiment]:
    """Return the experiments of these names in the paper's order, each once; all where no name is given.

    Raises
    ------
    InputError
        For an unknown name, with the nearest one.
    """
    for name in names:
        if name not in EXPERIMENTS:
            raise InputError(f"unknown experiment {name!r}: {nearest(name, EXPERIMENTS)}")
    return [one for name, one in EXPERIMENTS.items() if name in names or not names]
