"""Runs in groups of equal values, in the order in which they are named, or of their numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mho.analysis.grouping.card_values import CardName, label_of, resolve, value_of
from mho.analysis.grouping.cards import RunCard
from mho.runs.index import Quantity

NOT_TOLD = {"seed", "chip_seed"}
"""Parameters over which runs are pooled without a word."""


@dataclass(frozen=True)
class Group:
    """Runs that are drawn as one; `runs` are their places in the order of reading."""

    label: str
    runs: tuple[int, ...]


def group_runs(by: Sequence[str], runs: Sequence[RunCard]) -> tuple[Group, ...]:
    """Return the groups of runs that have the same values of every name in `by`.

    Raises
    ------
    InputError
        A name is unknown.
    """
    if not by:
        return (Group("all runs", tuple(range(len(runs)))),)
    names = [resolve(name, runs) for name in by]
    members: dict[tuple[Quantity | None, ...], list[int]] = {}
    for place, run in enumerate(runs):
        members.setdefault(tuple(value_of(run, name) for name in names), []).append(place)
    order = list(members)
    keys: list[dict[Quantity | None, tuple[float, int]]] = []
    for column in range(len(names)):
        seen = list(dict.fromkeys(values[column] for values in order))
        keys.append({value: _place(value, number, len(seen)) for number, value in enumerate(seen)})
    order.sort(key=lambda values: [key[value] for key, value in zip(keys, values, strict=True)])
    return tuple(Group(_label(names, values), tuple(members[values])) for values in order)


def varied_within(groups: Sequence[Group], runs: Sequence[RunCard]) -> tuple[str, ...]:
    """Return the names of facts and parameters, seeds aside, in which runs of one group differ."""
    found: dict[str, None] = {}
    for group in groups:
        mine = [runs[place] for place in group.runs]
        for fact in ("procedure", "chip", "bench", "preset"):
            if len({getattr(run.card.facts, fact) for run in mine}) > 1:
                found[fact] = None
        values = [{one.name: one.text for one in run.card.parameters} for run in mine]
        for name in {name for one in values for name in one} - NOT_TOLD:
            if len({one.get(name) for one in values}) > 1:
                found[name.replace("_", " ")] = None
    return tuple(sorted(found))


def _place(value: Quantity | None, number: int, count: int) -> tuple[float, int]:
    """Return where a value stands: numbers by size, words as they came, none last."""
    if value is None:
        return math.inf, count
    if value.number is not None and not math.isnan(value.number):
        return value.number, number
    return math.inf, number


def _label(names: Sequence[CardName], values: Sequence[Quantity | None]) -> str:
    return ", ".join(label_of(name, value) for name, value in zip(names, values, strict=True))
