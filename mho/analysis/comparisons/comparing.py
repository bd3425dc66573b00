"""Compares runs, or groups of runs: what differs in their settings, and what in their results, by how much."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mho.analysis.comparisons.compared_runs import OF_THE_RUN, ComparedRun, RunGroup, read_sides
from mho.analysis.comparisons.effects import CENTRES, Effect, Ranged, effect
from mho.analysis.grouping import SkippedFile, group_runs, read_cards, short_names
from mho.analysis.reports import find_runs, left_out_tries
from mho.analysis.reports.quantities import handy_unit, name_text
from mho.array_types import Floats
from mho.errors import InputError
from mho.runs import Status

MOST_SIDES = 12
MOST_LINES = 60  # lines of one difference between two texts
MOST_VALUES = 3  # values of a setting of a group that are named
ALIKE = 400_000  # characters of two texts up to which the lines that differ are looked for


@dataclass(frozen=True)
class DifferingSetting:
    """A setting that is not the same on all sides; each text is a side's."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class TextDifference:
    """Lines in which a text of a side differs from the first side's: ``- `` is the first's, ``+ `` the side's."""

    what: str
    side: str
    lines: tuple[str, ...]
    left_out: int = 0


@dataclass(frozen=True)
class ValueSample:
    """A result of a side: its values' number, median and quartiles; of one value, that one."""

    count: int
    median: float
    lower: float
    upper: float


@dataclass(frozen=True)
class ResultDifference:
    """A result: a sample a side, and how each side but the first differs from it; None where there is nothing."""

    name: str
    unit: str
    samples: tuple[ValueSample | None, ...]
    effects: tuple[Effect | None, ...]

    @property
    def size(self) -> tuple[float, float]:
        """By what results are ordered, the largest effect counting."""
        return max((one.size for one in self.effects if one is not None), default=(0.0, 0.0))

    @property
    def differs(self) -> bool:
        """Whether any side differs from the first."""
        known = (one for one in self.effects if one is not None)
        return any(one.difference.value != 0.0 or abs(one.cliffs_delta.value) > 0 for one in known)


@dataclass(frozen=True)
class Comparison:
    """What was found."""

    sides: tuple[RunGroup, ...]  # the first is what the others are compared with
    centre: str  # ``median`` or ``mean``
    settings: tuple[DifferingSetting, ...]  # those that differ
    same: int  # settings that are the same everywhere
    varied: tuple[str, ...]  # settings that vary within every side, in the same way
    texts: tuple[TextDifference, ...]
    packages: tuple[DifferingSetting, ...]
    # The numbers that at least two sides have, the largest effect first
    results: tuple[ResultDifference, ...]
    words: tuple[DifferingSetting, ...]  # results in words that differ
    alone: Mapping[str, tuple[str, ...]]  # by a side's name, the results that the first side or it alone has
    notes: tuple[str, ...]  # what must be known to read it
    marked: tuple[tuple[str, str], ...]  # (name, state): runs that did not finish, or go on
    skipped: tuple[SkippedFile, ...] = ()  # files that cannot be read

    @property
    def grouped(self) -> bool:
        """Whether a side has several runs."""
        return any(len(side.runs) > 1 for side in self.sides)


def compare(
    sides: Sequence[RunGroup], *, skipped: Sequence[SkippedFile] = (), centre: str = CENTRES[0], by: str = "",
) -> Comparison:  # fmt: skip
    """Compare sides of one run or several each, every one with the first.

    `centre`, ``median`` or ``mean``, stands for a group; the setting `by` which the groups were made differs by itself;
    files that could not be read, `skipped`, are named.

    Raises `InputError`: there is a single side, too many, or they have nothing in common.
    """
    if centre not in CENTRES:
        raise InputError(f"{centre!r} is no centre of values; choose one of {', '.join(CENTRES)}")
    if not 2 <= len(sides) <= MOST_SIDES:
        raise InputError(f"{len(sides)} sides are given; 2 to {MOST_SIDES} can be compared")
    results = _results(sides, centre)
    kinds = {run.procedure for side in sides for run in side.runs}
    if len(kinds) > 1 and not any(one.name not in OF_THE_RUN for one in results):
        raise InputError(
            f"runs of {' and '.join(sorted(kinds))} have no result in common; compare runs of one procedure, or whose "
            "results have the same names"
        )
    settings, same, varied = _settings(sides)
    runs = [run for side in sides for run in side.runs]
    marked = [(run.name, run.outcome) for run in runs if run.status != Status.FINISHED or not run.measured]
    return Comparison(
        tuple(sides), centre, tuple(sorted(settings, key=lambda one: one.name != by)), same, varied,
        tuple(_texts(sides)), _packages(sides), results, _words(sides), _alone(sides), tuple(_notes(sides, kinds)),
        tuple(marked), tuple(skipped),
    )  # fmt: skip


# --- settings ---


def _settings(sides: Sequence[RunGroup]) -> tuple[list[DifferingSetting], int, tuple[str, ...]]:
    """Return the settings that differ, how many do not, and those that vary within every side in the same way."""
    names = list(dict.fromkeys(name for side in sides for run in side.runs for name in run.settings))
    differing: list[DifferingSetting] = []
    same, varied = 0, []
    absent: dict[tuple[str, tuple[bool, ...]], int] = {}
    for name in names:
        by_side = [
            tuple(run.settings.get(name, "") for run in side.runs if run.whole or name in run.settings)
            for side in sides
        ]
        there = tuple(any(values) for values in by_side)
        instrument, colon, _ = name.partition(": ")
        if colon and not all(there) and any(there):  # one line for all that a side's instrument does not have
            absent[instrument, there] = absent.get((instrument, there), 0) + 1
            continue
        kinds = {frozenset(values) for values in by_side}
        if len(kinds) > 1:
            differing.append(DifferingSetting(name, tuple(map(_values, by_side))))
        elif len(kinds.pop()) > 1:
            varied.append(name)
        else:
            same += 1
    for (instrument, there), count in absent.items():
        values = tuple("there" if one else "not there" for one in there)
        differing.append(DifferingSetting(f"{instrument}: {count} setting{'s' * (count > 1)}", values))
    return differing, same, tuple(varied)


def _values(values: Sequence[str]) -> str:
    """Return the values of a setting within a side: each once, the first few."""
    distinct = list(dict.fromkeys(value or "not there" for value in values))
    if len(distinct) <= MOST_VALUES:
        return ", ".join(distinct)
    return f"{', '.join(distinct[:MOST_VALUES])}, … ({len(distinct)} values)"


def _packages(sides: Sequence[RunGroup]) -> tuple[DifferingSetting, ...]:
    firsts = [side.runs[0].packages for side in sides]
    names = sorted({name for one in firsts for name in one}, key=str.lower)
    return tuple(
        DifferingSetting(name, tuple(one.get(name, "not there") for one in firsts))
        for name in names
        if len({one.get(name) for one in firsts}) > 1
    )


def _texts(sides: Sequence[RunGroup]) -> Iterator[TextDifference]:
    """Yield where the texts of each side's first run differ from those of the first side's."""
    first = sides[0].runs[0]
    for side in sides[1:]:
        other = side.runs[0]
        for what in dict.fromkeys((*first.texts, *other.texts)):
            then, now = first.texts.get(what, ""), other.texts.get(what, "")
            if then == now:
                continue
            if len(then) + len(now) > ALIKE:
                yield TextDifference(what, side.name, ("- too long to be shown", "+ too long to be shown"))
                continue
            lines = [
                f"{line[0]} {line[1:]}"
                for line in difflib.unified_diff(then.splitlines(), now.splitlines(), n=0, lineterm="")
                if line[:1] in "+-" and not line.startswith(("+++", "---"))
            ]
            yield TextDifference(what, side.name, tuple(lines[:MOST_LINES]), max(len(lines) - MOST_LINES, 0))


# --- results ---


def _results(sides: Sequence[RunGroup], centre: str) -> tuple[ResultDifference, ...]:
    names = list(dict.fromkeys(name for side in sides for run in side.runs for name in run.numbers))
    result = []
    for name in names:
        numbers = [[run.numbers[name] for run in side.runs if name in run.numbers] for side in sides]
        values = [np.array([one for one in mine if math.isfinite(one)], dtype=float) for mine in numbers]
        units = {run.units.get(name, "") for side in sides for run in side.runs if name in run.numbers}
        if sum(bool(len(one)) for one in values) < 2 or not len(values[0]) or len(units) > 1:
            continue
        effects = tuple(effect(values[0], one, centre) if len(one) else None for one in values[1:])
        samples = tuple(_sample(one, centre) for one in values)
        result.append(ResultDifference(name, units.pop(), samples, effects))
    order = {one.name: place for place, one in enumerate(result)}
    result.sort(key=lambda one: (-one.size[0], -one.size[1], order[one.name]))
    return tuple(result)


def _sample(values: Floats, centre: str) -> ValueSample | None:
    if not len(values):
        return None
    lower, middle, upper = np.quantile(values, (0.25, 0.5, 0.75))
    value = middle if centre == "median" else values.mean()
    return ValueSample(len(values), float(value), float(lower), float(upper))


def _words(sides: Sequence[RunGroup]) -> tuple[DifferingSetting, ...]:
    names = dict.fromkeys(name for side in sides for run in side.runs for name in run.words)
    result = []
    for name in names:
        by_side = [[run.words.get(name, "") for run in side.runs] for side in sides]
        if len({frozenset(one) for one in by_side}) > 1 and all(any(one) for one in by_side):
            result.append(DifferingSetting(name, tuple(map(_values, by_side))))
    return tuple(result)


def _alone(sides: Sequence[RunGroup]) -> dict[str, tuple[str, ...]]:
    """Return by side the results that not all sides have, or whose units differ."""
    names = [dict.fromkeys(one for run in side.runs for one in (*run.numbers, *run.words)) for side in sides]
    shared = set(names[0]).intersection(*names[1:])
    result = [tuple(name for name in mine if name not in shared) for mine in names]
    return {side.name: alone for side, alone in zip(sides, result, strict=True) if alone}


# --- what must be known ---


def _notes(sides: Sequence[RunGroup], kinds: set[str]) -> Iterator[str]:
    runs = [run for side in sides for run in side.runs]
    if len(kinds) > 1:
        yield f"Runs of different kinds, {', '.join(sorted(kinds))}: what they have in common is compared."
    seen: dict[str, set[str]] = {}
    for run in runs:
        for name in run.numbers:
            seen.setdefault(name, set()).add(run.units.get(name, ""))
    if mixed := sorted(name for name, units in seen.items() if len(units) > 1):
        yield f"Not compared, as their units differ: {', '.join(mixed)}."
    single = [side for side in sides if len(side.runs) == 1]
    if single:
        whose = "Each side is" if len(single) == len(sides) else f"{', '.join(one.name for one in single)} is"
        yield (
            f"{whose} a single run: its numbers have no interval here, and how much of a difference is chance is not known."
        )
        if all(run.simulated for run in runs):
            yield _of_chance([side.runs[0] for side in single])
    small = [side for side in sides if 1 < len(side.runs) < 5]
    if small:
        yield f"{', '.join(side.name for side in small)}: fewer than 5 runs: medians have no interval, means have (--mean)."


def _of_chance(runs: Sequence[ComparedRun]) -> str:
    """Say what another seed could do to single runs of simulated benches."""
    seeds = {run.seed for run in runs}
    if len(seeds) == 1 and len(runs) > 1:
        begin = (
            f"The benches are simulated and have the same seed, {seeds.pop() or 'unknown'}: where the runs do the same, "
            "they draw the same cells and the same noise, and the difference is that of the settings for this one draw"
        )
    else:
        begin = "The benches are simulated: another seed draws other cells and other noise"
    return f"{begin}. What another seed does is seen by running each with several, and comparing the groups."


def compare_files(
    places: Sequence[Path], *, against: Sequence[Path] = (), by: str = "", centre: str = CENTRES[0]
) -> Comparison:
    """Compare runs: each file with the first; or those of `places` with those of `against`; or in groups.

    Groups are the runs of each value of a fact, parameter or result, `by` its name, as in ``mho runs --where``; of several
    names, with commas between them, of each pair of values. `centre`, ``median`` or ``mean``, stands for a group.

    Raises `InputError`: there is nothing to compare: no such file, no run that can be read, one group only, nothing in
    common.
    """
    if by and against:
        raise InputError("--by and --against do not go together; leave one out")
    skipped: list[SkippedFile] = []
    if by:
        names = [name.strip() for name in by.split(",") if name.strip()]
        groups = group_files(places, names, skipped)
    elif against:
        lots, names = (_run_files(places), _run_files(against)), []
        for first, *others in (places, against):
            more = f" and {len(others)} more" * bool(others)
            names.append(first.resolve().name if first.is_dir() else first.stem + more)
        if names[0] == names[1]:
            names = [f"{name} ({place})" for place, name in enumerate(names, 1)]
        groups = list(zip(names, lots, strict=True))
    else:
        folders = [str(one) for one in places if one.is_dir()]
        if folders:
            raise InputError(
                f"{folders[0]} is a folder: say by what its runs are grouped (--by preset), or what they are compared "
                "with (--against OTHER)"
            )
        paths = _run_files(places)
        groups = [(name, [path]) for name, path in zip(names_of(paths), paths, strict=True)]
    sides, unread = read_sides(groups)
    result = compare(sides, skipped=[*skipped, *unread], centre=centre, by=by)
    tries = left_out_tries(*places, *against)
    return replace(result, notes=(*result.notes, tries)) if tries else result


def group_files(
    places: Sequence[Path], by: Sequence[str], skipped: list[SkippedFile]
) -> list[tuple[str, list[Path]]]:
    """Return the files of each group of runs, ordered by its values; those that cannot be read go to `skipped`.

    Raises `InputError`: no run can be read or has such a name, all are in one group, or there are too many.
    """
    runs, unread = read_cards(places)
    skipped += unread
    groups = [(group.label, [runs[place].path for place in group.runs]) for group in group_runs(by, runs)]
    if not 2 <= len(groups) <= MOST_SIDES:
        some = ", ".join(name for name, _ in groups[:3])
        raise InputError(
            f"by {', '.join(by)} there {'is' if len(groups) == 1 else 'are'} {len(groups)} "
            f"group{'s' * (len(groups) > 1)} ({some}); 2 to {MOST_SIDES} can be compared"
        )
    return groups


def names_of(paths: Sequence[Path]) -> list[str]:
    """Return short names of files, which differ: with the folder where two are called the same."""
    names = short_names(paths)
    return [name if names.count(name) == 1 else f"{name} ({place})" for place, name in enumerate(names, 1)]


def _run_files(places: Sequence[Path]) -> list[Path]:
    paths = list(dict.fromkeys(find_runs(*places)))
    if not paths:
        raise InputError("no run file was found; give run files or folders that hold some")
    return paths


def value_text(sample: ValueSample | None, unit: str) -> str:
    """Return a side's value; of several its centre, quartiles and number."""
    if sample is None:
        return "-"
    factor = handy_unit(unit)[0]
    if sample.count == 1:
        return number_text(factor * sample.median, 6)
    quartiles = f"{number_text(factor * sample.lower)} to {number_text(factor * sample.upper)}"
    return f"{number_text(factor * sample.median)} ({quartiles}), n {sample.count}"


def difference_text(effect: Effect | None, unit: str) -> str:
    """Return the difference of the centres, with its interval where there is one."""
    if effect is None:
        return "-"
    return ranged_text(effect.difference, handy_unit(unit)[0], signed=True, digits=5)


def ratio_text(effect: Effect | None) -> str:
    """Return the ratio of the centres."""
    return "-" if effect is None or math.isnan(effect.ratio) else f"{effect.ratio:.4g}"


def ranged_text(ranged: Ranged, factor: float = 1.0, *, signed: bool = False, digits: int = 3) -> str:
    """Return a number and its interval; ``-`` where there is none."""
    if math.isnan(ranged.value):
        return "-"
    if math.isinf(ranged.value):
        return "no scatter"
    value = number_text(factor * ranged.value, digits)
    if signed and ranged.value > 0.0:
        value = f"+{value}"
    if not ranged.known:
        return value
    return (
        f"{value} [{number_text(factor * ranged.low, digits)}, {number_text(factor * ranged.high, digits)}]"
    )


def effect_texts(effect: Effect, unit: str) -> tuple[str, str, str, str]:
    """Return difference, Hedges' g, Cliff's delta and p-value, as a row of a table has them; a small p by its size."""
    p = (
        "-"
        if math.isnan(effect.p_value)
        else f"{effect.p_value:.2g}"
        if effect.p_value >= 1e-4
        else "< 0.0001"
    )
    return difference_text(effect, unit), ranged_text(effect.hedges_g), ranged_text(effect.cliffs_delta), p


def named(result: ResultDifference) -> str:
    """Return a result's name with its handy unit."""
    return name_text(result.name, result.unit)


def sides_said(comparison: Comparison) -> str:
    """Return what is compared with what, in a sentence."""
    first, *others = [
        side.name + (f" ({len(side.runs)} runs)" if len(side.runs) > 1 else "") for side in comparison.sides
    ]
    return f"{', '.join(others)} compared with {first}"


def number_text(value: float, digits: int = 5) -> str:
    """Return a number; from a thousand on, as far as it has no exponent, without decimals."""
    if math.isfinite(value) and (value == round(value) or abs(value) >= 1e3) and abs(value) < 1e7:
        return str(round(value))
    return f"{value:.{digits}g}"
