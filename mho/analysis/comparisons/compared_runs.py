"""What is compared of a run: its settings, the texts that describe bench and chip, and its results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mho.analysis.grouping import SkippedFile
from mho.analysis.reports import read_bench
from mho.errors import InputError, RunFileError
from mho.runs import RunFile, outcome_line
from mho.runs.index import read_card
from mho.runs.integrity import OF_THE_MOMENT

OF_THE_RUN = (*OF_THE_MOMENT, "virtual_seconds")  # results that any two runs have, whatever they did

FACTS = {
    "procedure": "procedure", "version": "version of the procedure", "bench": "bench", "chip": "chip",
    "preset": "preset", "seed": "seed", "mho": "mho", "commit": "commit",
}  # fmt: skip
"""What an index knows of a run beside its parameters, and what it is called here."""

PROVENANCE = {
    "chip_seed": "seed of the chip", "after": "goes on after", "python": "Python", "platform": "platform",
    "processor": "processor", "blas": "BLAS",
}  # fmt: skip

LARGEST = 1e300
NUMBERS = 4000  # results of one run that are compared
WHOLE = 4  # runs of a group of which bench, chip, instruments and packages are read too


@dataclass(frozen=True)
class ComparedRun:
    """A run as far as it is compared."""

    path: Path
    name: str  # of its file
    procedure: str
    status: str
    outcome: str
    measured: bool
    simulated: bool
    seed: str
    # Whether all of it was read, or what an index keeps of it: facts, parameters and results
    whole: bool = True
    settings: Mapping[str, str] = field(default_factory=dict)  # texts by name: what was set, by whom, on what
    # Bench file, chip map, list of defects, source of an own procedure
    texts: Mapping[str, str] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)  # versions by name
    # Results that are numbers, by name; truths are 0 and 1
    numbers: Mapping[str, float] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)  # all other results
    units: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RunGroup:
    """Runs that are taken together."""

    name: str
    runs: tuple[ComparedRun, ...]


def read_compared(path: Path, *, whole: bool = True) -> ComparedRun:
    """Read what is compared of the run in a file; if `whole`, bench, chip, instruments and packages too, ten times as slow.

    Raises `RunFileError`: it cannot be read.
    """
    card = read_card(path)
    results = [one for one in card.results[:NUMBERS] if one.name not in OF_THE_MOMENT]
    numbers = {
        one.name: one.number for one in results if one.number is not None and abs(one.number) < LARGEST
    }
    ending = card.status, card.reason, card.conclusion
    settings = {words: getattr(card.facts, fact) for fact, words in FACTS.items()}
    words = {one.name: one.text for one in results if one.number is None and one.text not in ("", "none")}
    run = ComparedRun(
        path, path.stem, card.facts.procedure, card.status, outcome_line(*ending),
        measured=card.conclusion is None or card.conclusion.measured, simulated=bool(card.facts.preset),
        seed=card.facts.seed, whole=False, numbers=numbers,
        settings=settings | {one.name: f"{one.text} {one.unit}".rstrip() for one in card.parameters},
        words={"conclusion": outcome_line(*ending, named=False)} | words,
        units={one.name: one.unit for one in results if one.unit},
    )  # fmt: skip
    if not whole:
        return run
    with RunFile(path) as file:
        provenance = file.provenance
        packages = provenance.get("packages", "").splitlines()
        texts = {"bench file": file.bench, "chip map": file.chip, "defects": file.defects}
        return replace(
            run, whole=True, simulated=read_bench(file).preset is not None,
            settings=dict(run.settings) | dict(_further(file, provenance)),
            texts=texts | {"source of the procedure": file.source},
            packages=dict(line.split("==", 1) for line in packages if "==" in line),
        )  # fmt: skip


def read_sides(
    groups: Sequence[tuple[str, Sequence[Path]]],
) -> tuple[tuple[RunGroup, ...], tuple[SkippedFile, ...]]:
    """Read groups of files by their names; a file that cannot be read is left out, and named.

    Raises `InputError`: fewer than two groups are left of which something can be read.
    """
    sides, skipped, empty = [], [], []
    for name, paths in groups:
        runs: list[ComparedRun] = []
        for path in paths:
            try:
                runs.append(read_compared(path, whole=len(runs) < WHOLE))
            except RunFileError as error:
                skipped.append(SkippedFile(path, str(error)))
        if runs:
            sides.append(RunGroup(name, tuple(runs)))
        else:
            empty.append(f"of {name} no run can be read" + (f": {skipped[-1].reason}" if skipped else ""))
    if empty and len(sides) < 2:
        raise InputError(empty[0])
    return tuple(sides), tuple(skipped)


def _further(run: RunFile, provenance: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the settings that an index does not know."""
    yield "cells", run.cells
    for name, words in PROVENANCE.items():
        yield words, provenance.get(name, "")
    for line in provenance.get("inputs", "").splitlines():
        name, _, digest = line.partition(" ")
        yield f"file of {name}, SHA-256", digest
    for instrument, settings in run.instruments.items():
        for name, text in settings.items():
            yield f"{instrument}: {name.replace('_', ' ')}", str(text)
