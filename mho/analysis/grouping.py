"""Runs in groups of equal values, in the order in which they are named, or of their numbers."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from mho.analysis.reports.collection import find_runs
from mho.analysis.reports.quantities import handy_unit
from mho.errors import InputError, RunFileError, nearest
from mho.runs.index import Card, CardName, ResultQuantity, find_name, read_card


@dataclass(frozen=True)
class RunCard:
    """A run file that can be read, and what its card says; it serves as the path of the file wherever one is asked for.

    Attributes
    ----------
    path : Path
    card : mho.runs.index.Card
        Facts, parameters and results, as the index of a folder has them.

    Examples
    --------
    >>> from mho.analysis import read_cards
    >>> result = mho.run(mho.Read(rows="0:2", columns="0:2"), "arrays", seed=1)
    >>> (card,), skipped = read_cards([result.path])
    >>> card.finished, card.card.facts.seed
    (True, '1')
    """

    path: Path
    card: Card

    def __fspath__(self) -> str:
        return str(self.path)

    @property
    def finished(self) -> bool:
        """Whether the run came to its end."""
        return self.card.status == "finished"


@dataclass(frozen=True)
class SkippedFile:
    """A file that cannot be read, and why.

    Attributes
    ----------
    path : Path
    reason : str

    Examples
    --------
    >>> from mho.analysis import read_cards
    >>> from pathlib import Path
    >>> length = Path("notes.h5").write_text("no run file")
    >>> result = mho.run(mho.Read(rows="0:2", columns="0:2"), "arrays", seed=1, output="read.h5")
    >>> cards, skipped = read_cards(["."])
    >>> [one.path.name for one in skipped]
    ['notes.h5']
    """

    path: Path
    reason: str


def short_names(paths: Sequence[Path]) -> list[str]:
    """Return the names of files without their suffix; with the folder where two are called the same."""
    count = Counter(path.stem for path in paths)
    return [
        path.stem if count[path.stem] == 1 else f"{path.resolve().parent.name}/{path.stem}" for path in paths
    ]


def read_cards(places: Iterable[str | os.PathLike[str]]) -> tuple[list[RunCard], list[SkippedFile]]:
    """Return the cards of all run files at places, files or folders, and the files that cannot be read.

    Parameters
    ----------
    places : paths
        A place that is a `RunCard` is not read again.

    Returns
    -------
    list of RunCard, list of SkippedFile

    Raises
    ------
    InputError
        A place is not there, or no file can be read.

    Examples
    --------
    >>> from mho.analysis import read_cards
    >>> result = mho.run(mho.Read(rows="0:2", columns="0:2"), "arrays", seed=1, output="read.h5")
    >>> cards, skipped = read_cards(["."])
    >>> [one.path.name for one in cards], skipped
    (['read.h5'], [])
    """
    named = list(places)
    known = {one.path: one for one in named if isinstance(one, RunCard)}
    runs, skipped = [], []
    for path in find_runs(*named):
        try:
            runs.append(known.get(path) or RunCard(path, read_card(path)))
        except RunFileError as error:
            skipped.append(SkippedFile(path, str(error)))
    if not runs and not skipped:
        where = f"{named[0]} is a folder without run files" if len(named) == 1 else "no run file is there"
        raise InputError(f"{where}; name run files, or folders that hold some")
    if not runs:
        raise InputError(f"none of {len(skipped)} run files can be read: {skipped[0].reason}")
    return runs, skipped


FACTS = (
    "title", "procedure", "version", "chip", "bench", "preset", "seed", "host", "user", "mho", "commit", "resume_of",
    "rerun_of",
)  # fmt: skip
OTHERS = ("status", "reason", "run", "path", "date", "duration", "id")
"""Facts that a card keeps elsewhere, or that follow from others; `run` is the file's name."""

GROUPINGS = (*FACTS, *OTHERS)  # facts by which runs are grouped, beside their parameters and results
MOST_SHOWN = 40  # names that an error lists


def resolve(name: str, runs: Sequence[RunCard]) -> CardName:
    """Return the fact, parameter or result of some of the runs that a name means.

    Raises `InputError`: no run has it; the nearest names are told.
    """
    known = {
        "parameter": dict.fromkeys(one.name for run in runs for one in run.card.parameters),
        "result": dict.fromkeys(one.name for run in runs for one in run.card.results),
    }
    if found := find_name(name, (*FACTS, *OTHERS), known):
        return found
    prefix, _, rest = name.partition(".")
    every = sorted({*FACTS, *OTHERS, *known["parameter"], *known["result"]})
    shown = ", ".join(every[:MOST_SHOWN]) + ", …" * (len(every) > MOST_SHOWN)
    meant = nearest(rest if prefix in known else name, every, 3, f"there are {shown}", cutoff=0.5)
    raise InputError(f"no run has anything called {name!r}; {meant}")


def value_of(run: RunCard, name: CardName) -> ResultQuantity | None:
    """Return what a run has of a name; None where it has nothing."""
    card = run.card
    if name.source:
        quantities = card.parameters if name.source == "parameter" else card.results
        return {one.name: one for one in quantities}.get(name.name)
    fact, start = name.name, card.facts.start
    if fact == "duration":
        took = None if start is None or card.end is None else card.end - start
        return None if took is None else ResultQuantity(fact, took, f"{took:.3g}", "s")
    if fact == "date":
        text = "" if start is None else f"{datetime.fromtimestamp(start):%Y-%m-%d}"
    elif fact in ("run", "path"):
        text = run.path.stem if fact == "run" else str(run.path)
    else:
        holder = card if fact in ("status", "reason") else card.facts
        text = str(getattr(holder, "run_id" if fact == "id" else fact))
    try:
        number = float(text) if fact in ("seed", "version") else None
    except ValueError:
        number = None
    return ResultQuantity(fact, number, text) if text else None


def label_of(name: CardName, value: ResultQuantity | None) -> str:
    """Return what a group of runs is called by a value: a word by itself, a number with its name and unit."""
    words = name.name.replace("_", " ")
    if value is None:
        return f"no {words}"
    if name.source == "" and name.name not in ("seed", "duration", "version"):
        return value.text
    whole = not value.unit and value.text.lstrip("-").isdigit()  # a seed: six digits of it may be another's
    if whole or value.number is None or not math.isfinite(value.number):
        return f"{words} {value.text}"
    if value.text in ("true", "false"):
        return f"{words} {'yes' if value.number else 'no'}"
    factor, unit = handy_unit(value.unit)
    return f"{words} {factor * value.number:.6g} {unit}".rstrip()


NOT_TOLD = {"seed", "chip_seed"}  # parameters over which runs are pooled without a word


@dataclass(frozen=True)
class Group:
    """Runs that are drawn as one.

    Attributes
    ----------
    label : str
    runs : tuple of int
        Their places in the order of reading.

    Examples
    --------
    >>> from mho.analysis import Group
    >>> Group("pku", (0, 2)).runs
    (0, 2)
    """

    label: str
    runs: tuple[int, ...]


def group_runs(by: Sequence[str], runs: Sequence[RunCard]) -> tuple[Group, ...]:
    """Return the groups of runs that have the same values of every name in `by`.

    Parameters
    ----------
    by : sequence of str
        Facts, parameters or results; none puts all runs in one group.
    runs : sequence of RunCard

    Returns
    -------
    tuple of Group
        By size where a value is a number, else in the order in which they came.

    Raises
    ------
    InputError
        A name is unknown.

    Examples
    --------
    >>> from mho.analysis import group_runs, read_cards
    >>> for seed in (2, 1):
    ...     result = mho.run(mho.Read(rows="0:2", columns="0:2"), "arrays", seed=seed, output=f"{seed}.h5")
    >>> cards, skipped = read_cards(["2.h5", "1.h5"])
    >>> group_runs(["seed"], cards)
    (Group(label='seed 1', runs=(1,)), Group(label='seed 2', runs=(0,)))
    """
    if not by:
        return (Group("all runs", tuple(range(len(runs)))),)
    names = [resolve(name, runs) for name in by]
    members: dict[tuple[ResultQuantity | None, ...], list[int]] = {}
    for place, run in enumerate(runs):
        values = (value_of(run, name) for name in names)
        # NaN is equal to nothing: by its text alone, runs that have it are one group
        same = (replace(one, number=None) if one and one.number != one.number else one for one in values)
        members.setdefault(tuple(same), []).append(place)
    order = list(members)
    keys: list[dict[ResultQuantity | None, tuple[float, int]]] = []
    for column in range(len(names)):
        seen = list(dict.fromkeys(values[column] for values in order))
        keys.append({value: _place(value, number, len(seen)) for number, value in enumerate(seen)})
    order.sort(key=lambda values: [key[value] for key, value in zip(keys, values, strict=True)])
    labels = [", ".join(map(label_of, names, values)) for values in order]
    return tuple(Group(label, tuple(members[values])) for label, values in zip(labels, order, strict=True))


def varied_within(groups: Sequence[Group], runs: Sequence[RunCard]) -> tuple[str, ...]:
    """Return the names of facts and parameters, seeds aside, in which runs of one group differ."""
    result: dict[str, None] = {}
    for group in groups:
        mine = [runs[place] for place in group.runs]
        for fact in ("procedure", "chip", "bench", "preset"):
            if len({getattr(run.card.facts, fact) for run in mine}) > 1:
                result[fact] = None
        values = [{one.name: one.text for one in run.card.parameters} for run in mine]
        for name in {name for one in values for name in one} - NOT_TOLD:
            if len({one.get(name) for one in values}) > 1:
                result[name.replace("_", " ")] = None
    return tuple(sorted(result))


def _place(value: ResultQuantity | None, number: int, count: int) -> tuple[float, int]:
    """Return where a value stands: numbers by size, words as they came, none last."""
    if value is None:
        return math.inf, count
    return math.inf if value.number is None else value.number, number
