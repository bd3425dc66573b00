"""What runs are grouped by and drawn over: facts, parameters and results, named as in ``mho runs --where``."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from mho.analysis.grouping.cards import RunCard
from mho.analysis.reports.quantities import handy_unit
from mho.errors import InputError
from mho.runs.index import Card, Quantity

FACTS = (
    "title", "procedure", "version", "chip", "bench", "preset", "seed", "host", "user", "mho", "commit", "resume_of",
    "rerun_of",
)  # fmt: skip
OTHERS = ("status", "reason", "run", "path", "date", "duration", "id")
"""Facts that a card keeps elsewhere, or that follow from others; `run` is the file's name."""

GROUPINGS = (*FACTS, *OTHERS)
"""Facts by which runs are grouped, beside their parameters and results."""

SOURCES = ("parameter", "result")
MOST_SHOWN = 40
"""Names that an error lists."""


@dataclass(frozen=True)
class CardName:
    """A name that runs have: ``source`` is "" for a fact, ``parameter`` or ``result``."""

    source: str
    name: str

    @property
    def words(self) -> str:
        """The name as people write it."""
        return self.name.replace("_", " ")


def resolve(name: str, runs: Sequence[RunCard]) -> CardName:
    """Return the fact, parameter or result of some of the runs that a name means.

    Raises
    ------
    InputError
        No run has it; the nearest names are told.
    """
    known = {
        "parameter": dict.fromkeys(one.name for run in runs for one in run.card.parameters),
        "result": dict.fromkeys(one.name for run in runs for one in run.card.results),
    }
    prefix, _, rest = name.partition(".")
    if prefix in known and (found := _spelled(rest, known[prefix])):
        return CardName(prefix, found)
    if name.lower() in (*FACTS, *OTHERS):
        return CardName("", name.lower())
    for source, names in known.items():
        if found := _spelled(name, names):
            return CardName(source, found)
    every = sorted({*FACTS, *OTHERS, *known["parameter"], *known["result"]})
    near = difflib.get_close_matches(rest if prefix in known else name, every, 3, 0.5)
    shown = ", ".join(every[:MOST_SHOWN]) + ", …" * (len(every) > MOST_SHOWN)
    meant = f"did you mean {' or '.join(near)}?" if near else f"there are {shown}"
    raise InputError(f"no run has anything called {name!r}; {meant}")


def value_of(run: RunCard, name: CardName) -> Quantity | None:
    """Return what a run has of a name; None where it has nothing."""
    card = run.card
    if name.source:
        return _quantities(card, name.source).get(name.name)
    facts = card.facts
    match name.name:
        case "status" | "reason":
            return _text(name.name, str(getattr(card, name.name)))
        case "run":
            return _text("run", run.path.stem)
        case "path":
            return _text("path", str(run.path))
        case "id":
            return _text("id", facts.run_id)
        case "date":
            return (
                None
                if facts.start is None
                else _text("date", f"{datetime.fromtimestamp(facts.start):%Y-%m-%d}")
            )
        case "duration":
            if facts.start is None or card.end is None:
                return None
            return Quantity("duration", card.end - facts.start, f"{card.end - facts.start:.3g}", "s")
        case fact:
            return _text(fact, str(getattr(facts, fact)))


def label_of(name: CardName, value: Quantity | None) -> str:
    """Return what a group of runs is called by a value: a word by itself, a number with its name and unit."""
    if value is None:
        return f"no {name.words}"
    if name.source == "" and name.name not in ("seed", "duration", "version"):
        return value.text
    if value.number is None or not math.isfinite(value.number):
        return f"{name.words} {value.text}"
    if value.text in ("true", "false"):
        return f"{name.words} {'yes' if value.number else 'no'}"
    factor, unit = handy_unit(value.unit)
    return f"{name.words} {factor * value.number:.6g} {unit}".rstrip()


def _quantities(card: Card, source: str) -> dict[str, Quantity]:
    return {one.name: one for one in (card.parameters if source == "parameter" else card.results)}


def _text(name: str, text: str) -> Quantity | None:
    if not text:
        return None
    try:
        number = float(text) if name in ("seed", "version") else None
    except ValueError:
        number = None
    return Quantity(name, number, text)


def _spelled(name: str, known: dict[str, None]) -> str:
    alike = (one for one in known if one.lower() == name.lower())
    return name if name in known else next(alike, "")
