"""The page about a campaign: what was varied, how it went, results by group, figures over runs, runs that stand apart."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mho.analysis import Group, RunCard, SkippedFile, group_runs, read_cards
from mho.analysis.comparisons import number_text
from mho.analysis.figures import compare, runs_of_groups, table_figure
from mho.analysis.reports import duration_text, handy_unit, left_out_tries, name_text
from mho.array_types import Floats
from mho.errors import InputError, RunFileError
from mho.extensions.report_pages import documents as page
from mho.extensions.report_pages.extracted_parameters import OF_THE_RUN
from mho.extensions.report_pages.kinds import PLAN, read_plan
from mho.extensions.report_pages.run_figures import figure_blocks, grouped_pictures
from mho.runs import RunFile, outcome_line, status_words
from mho.runs.integrity import OF_THE_MOMENT

FACTS = ("preset", "bench", "chip", "version", "mho", "commit", "seed")
SEEDS = ("seed", "chip_seed", "parameter.seed")
"""What is varied so that chance is seen: no groups are made of it."""

NOT_THERE = "not there"
MOST_GROUPS = 12
FENCE = 3.0
"""Distances between quartiles beyond which a value is far out (Tukey, Exploratory Data Analysis, 1977, section 2D)."""

FEW = 0.05
"""Share of a group's runs that may differ from a value that more than half of them have, and still stand apart."""

FEWEST = 5  # runs of a group from which on one can stand apart


@dataclass(frozen=True)
class Varied:
    """A fact or parameter that is not the same in all runs."""

    name: str
    values: tuple[tuple[str, int], ...]  # its values as texts, in order, and how many runs have each
    of_runs: tuple[str, ...]  # its value in each run


@dataclass(frozen=True)
class Outlier:
    """A run that stands apart from its group in a result, `distance` times the distance between the quartiles."""

    run: int
    group: str
    result: str
    value: float
    median: float
    distance: float


def varied(runs: Sequence[RunCard]) -> tuple[Varied, ...]:
    """Return what is not the same in all runs, facts first."""
    by_name: dict[str, dict[int, tuple[float, str]]] = {name: {} for name in FACTS}
    for place, run in enumerate(runs):
        for name in FACTS:
            text = str(getattr(run.card.facts, name))
            number = float(text) if text.isdecimal() and len(text) < 16 else math.inf
            by_name[name][place] = number, text or "none"
        for one in run.card.parameters:
            number = math.inf if one.number is None else one.number
            name = f"parameter.{one.name}" if one.name in FACTS else one.name
            if name != one.name and one.text == str(getattr(run.card.facts, one.name)):
                continue  # said already
            by_name.setdefault(name, {})[place] = number, f"{one.text} {one.unit}".rstrip()
    result = []
    for name, values in by_name.items():
        counted = Counter(values.values())
        missing = len(runs) - len(values)
        if len(counted) + bool(missing) > 1:
            ordered = [(key[1], counted[key]) for key in sorted(counted)]
            of_runs = tuple(values.get(place, (0.0, NOT_THERE))[1] for place in range(len(runs)))
            result.append(Varied(name, (*ordered, *([(NOT_THERE, missing)] * bool(missing))), of_runs))
    return tuple(result)


def chosen_groups(variations: Sequence[Varied]) -> tuple[str, ...]:
    """Return by which of the things that were varied runs are grouped: as many as make at most `MOST_GROUPS` groups.

    What follows from the others makes no new groups, as the tolerance that follows from the bits.
    """
    chosen: list[str] = []
    groups = 1
    known = [""] * (len(variations[0].of_runs) if variations else 0)
    for one in sorted(variations, key=lambda one: len(one.values)):
        if one.name in SEEDS or one.name in ("mho", "commit", "version"):
            continue
        finer = [f"{before}\0{mine}" for before, mine in zip(known, one.of_runs, strict=True)]
        if len(set(finer)) > len(set(known)) and groups * len(one.values) <= MOST_GROUPS:
            chosen.append(one.name)
            groups *= len(one.values)
            known = finer
    order = [one.name for one in variations]
    return tuple(sorted(chosen, key=order.index))


def results_of(runs: Sequence[RunCard]) -> tuple[dict[str, Floats], dict[str, str]]:
    """Return each numeric result over the runs, NaN where one has none, and its unit; of several units the first one's."""
    values: dict[str, Floats] = {}
    units: dict[str, str] = {}
    for place, run in enumerate(runs):
        for one in run.card.results:
            if one.number is None or not abs(one.number) < 1e300 or one.name in (*OF_THE_MOMENT, *OF_THE_RUN):
                continue
            if units.setdefault(one.name, one.unit) == one.unit:
                values.setdefault(one.name, np.full(len(runs), np.nan))[place] = one.number
    return values, units


def separation(values: Floats, groups: Sequence[Group]) -> float:
    """Return how far groups lie apart, from 0 to 1: the share of the ranks' variance that lies between them.

    That is epsilon squared of the test of Kruskal and Wallis (J. Am. Stat. Assoc. 47, 583 (1952)); 0 for one group.
    """
    from scipy.stats import rankdata  # loads slowly

    lots = [values[list(group.runs)] for group in groups]
    lots = [lot[np.isfinite(lot)] for lot in lots]
    lots = [lot for lot in lots if lot.size]
    if len(lots) < 2:
        return 0.0
    ranks = rankdata(np.concatenate(lots))
    total = float(((ranks - ranks.mean()) ** 2).sum())
    if total == 0.0:
        return 0.0
    parts = np.split(ranks, np.cumsum([lot.size for lot in lots])[:-1])
    return sum(part.size * float(part.mean() - ranks.mean()) ** 2 for part in parts) / total


def outliers(values: Floats, runs: Sequence[int], group: str, result: str) -> Iterator[Outlier]:
    """Yield the runs of a group whose result lies far out: beyond 3 distances between quartiles from the nearer one.

    Where the quartiles are equal, few runs that differ from them stand apart (`FEW`), many do not. `values` are of all
    runs, `runs` the places of the group's.
    """
    mine = values[list(runs)]
    known = mine[np.isfinite(mine)]
    if known.size < FEWEST:
        return
    lower, median, upper = np.quantile(known, (0.25, 0.5, 0.75))
    between = upper - lower
    beyond = np.where(mine > upper, mine - upper, lower - mine)
    if between == 0.0 and (beyond > 0.0).sum() > FEW * known.size:
        return
    for place in np.flatnonzero(beyond > FENCE * between).tolist():
        distance = float(beyond[place] / between) if between > 0.0 else math.inf
        yield Outlier(runs[place], group, result, float(mine[place]), float(median), distance)


def all_outliers(values: dict[str, Floats], groups: Sequence[Group]) -> tuple[Outlier, ...]:
    """Return one entry a run that stands apart, with the result in which it does most; the farthest run first."""
    farthest: dict[int, Outlier] = {}
    for name, column in values.items():
        for group in groups:
            for one in outliers(column, group.runs, group.label, name):
                known = farthest.get(one.run)
                # A distance between quartiles says more than none.
                if known is None or math.isinf(known.distance) or known.distance < one.distance < math.inf:
                    farthest[one.run] = one
    return tuple(
        sorted(farthest.values(), key=lambda one: (math.isinf(one.distance), -one.distance, one.run))
    )


FEWEST_POINTS = 3  # values of a parameter from which on results are drawn over it
MOST_SWEPT, MOST_DRAWN = 2, 4
ALIKE = 0.99  # correlation of ranks from which on two results are one: cycles and inversions


def swept(variations: Sequence[Varied], runs: Sequence[RunCard]) -> dict[str, Floats]:
    """Return the numbers, seeds aside, that were varied as parameters, over the runs; NaN where a run has none.

    Words, lists and truth values are no numbers; those that a run alone has, or two values, make no curve.
    """
    numbers: dict[str, Floats] = {}
    for one in variations:
        if one.name in SEEDS or "." in one.name:
            continue
        column = np.full(len(runs), np.nan)
        for place, run in enumerate(runs):
            known = next((mine for mine in run.card.parameters if mine.name == one.name), None)
            if known is not None and known.number is not None and known.text not in ("true", "false"):
                column[place] = known.number
        points = np.unique(column[np.isfinite(column)])
        if FEWEST_POINTS <= points.size < np.isfinite(column).sum():
            numbers[one.name] = column
    return dict(list(numbers.items())[:MOST_SWEPT])


def moved_results(parameter: Floats, values: Mapping[str, Floats]) -> list[str]:
    """Return the results that a parameter (n,) moves most, each once: none that is the parameter, or goes with another."""
    points = np.unique(parameter[np.isfinite(parameter)])
    groups = [Group(str(point), tuple(np.flatnonzero(parameter == point).tolist())) for point in points]
    apart = {name: separation(column, groups) for name, column in values.items()}
    chosen: list[str] = []
    for name in sorted(apart, key=lambda name: -round(apart[name], 3)):
        if apart[name] == 0.0 or len(chosen) == MOST_DRAWN:
            break
        known = np.isfinite(values[name])
        is_parameter = np.array_equal(parameter[known], values[name][known])
        if not is_parameter and not any(_alike(values[name], values[one]) for one in chosen):
            chosen.append(name)
    return chosen


def _alike(one: Floats, other: Floats) -> bool:
    """Return whether two results order the runs alike, or the other way round."""
    from scipy.stats import rankdata  # loads slowly

    known = np.isfinite(one) & np.isfinite(other)
    ranks = [rankdata(values[known]) for values in (one, other)]
    if known.sum() < FEWEST_POINTS or any(np.ptp(values) == 0.0 for values in ranks):
        return False
    return bool(abs(np.corrcoef(ranks[0], ranks[1])[0, 1]) > ALIKE)


def swept_pictures(
    runs: Sequence[RunCard], variations: Sequence[Varied], by: Sequence[str], values: Mapping[str, Floats]
) -> tuple[page.Picture, ...]:
    """Return the results over each swept parameter: medians with quartiles over the seeds, a colour a group."""
    pictures = []
    for name, column in swept(variations, runs).items():
        groups = group_runs([one for one in by if one.removeprefix("parameter.") != name], runs)
        for result in moved_results(column, values):
            try:
                figure = table_figure(f"parameter.{name}", f"result.{result}", runs, ())
                members = runs_of_groups(figure, runs, groups)
            except InputError as error:
                pictures.append(page.Picture(f"{result} over {name}", trouble=str(error)))
                continue
            title = figure.title.replace(".", ", ")
            drawn = compare(replace(figure, title=f"{title[:1].upper()}{title[1:]}"), members)
            pictures.append(page.Picture(title, drawn))
    return tuple(pictures)


MOST_PROCEDURES = 6
FIRST_RESULTS, MOST_RESULTS = 10, 80  # of one procedure
MOST_VALUES = 12  # of what was varied
MOST_LISTED = 300  # runs
MOST_OUTLIERS = 40
KEY_RESULTS = 4  # in the list of runs


def campaign_document(places: Sequence[Path], *, by: str = "", personal: bool = False) -> page.Document:
    """Return the page about the runs at places, with folders if `personal`, grouped by what was varied, or `by` a name.

    Raises `InputError`: no run can be read, or a name of `by` is unknown.
    """
    runs, skipped = read_cards(places)
    named = tuple(filter(None, map(str.strip, by.split(","))))
    kinds = Counter(run.card.facts.procedure for run in runs)
    parts: list[page.Block] = []
    for kind, _ in kinds.most_common(MOST_PROCEDURES):
        parts += _procedure([run for run in runs if run.card.facts.procedure == kind], named, kinds, skipped)
    folder = places[0] if places[0].is_dir() else places[0].parent  # the plan is in it, or above it
    plan = next(filter(None, map(read_plan, (folder, folder.resolve().parent))), "")
    blocks = (
        *_incomplete(runs),
        *_overview(runs, skipped, kinds, left_out_tries(*places)),
        *parts,
        *_listed(runs),
        *_repeat(plan),
    )
    whole, count = folder.resolve(), page.counted(len(runs), "run")
    title = f"Campaign {whole.parent.name if whole.name == 'runs' else whole.name}: {count}"
    document = page.Document(title, blocks, f"Campaign of {count} of {', '.join(kinds)}")
    return document if personal else page.map_texts(document, page.without_folders)


# --- how it went ---


def _incomplete(runs: Sequence[RunCard]) -> Iterator[page.Block]:
    """Say of each folder how many of the runs of its plan have finished, unless all have."""
    folders: dict[Path, list[RunCard]] = {}
    for run in runs:
        folders.setdefault(run.path.parent, []).append(run)
    for here in folders.values():
        finished = sum(run.finished for run in here)
        planned = max(map(_planned, (here[0], here[-1])))
        if finished < planned:
            yield page.Paragraph(
                f"{finished} of the {planned} runs of the plan have finished: what follows is of a part of the campaign.",
                page.BAD,
            )


def _planned(run: RunCard) -> int:
    """Return how many runs the campaign has that a run was made in; 0 where it does not say so."""
    try:
        with RunFile(run.path, whole=False) as file:
            _, of, planned = file.provenance.get("planned_run", "").partition(" of ")
    except RunFileError:
        return 0
    return int(planned) if of and planned.isascii() and planned.isdigit() else 0


def _overview(
    runs: Sequence[RunCard], skipped: Sequence[SkippedFile], kinds: Mapping[str, int], tries: str
) -> Iterator[page.Block]:
    states = Counter(run.card.status for run in runs)
    text = ", ".join(f"{count} {state}" for state, count in states.most_common())
    if skipped:
        text += f", {len(skipped)} damaged"
    yield page.Paragraph(
        f"{page.counted(len(runs) + len(skipped), 'file')}: {text}.", page.BAD if skipped else ""
    )
    if tries:
        yield page.Paragraph(f"{tries}.", page.DIM)
    starts = [run.card.facts.start for run in runs if run.card.facts.start is not None]
    took = [run.card.end - run.card.facts.start for run in runs if run.card.end and run.card.facts.start]
    simulated = sum(bool(run.card.facts.preset) for run in runs)
    facts: list[tuple[str, page.Words]] = [
        ("procedures", ", ".join(f"{name} ({count})" for name, count in kinds.items())),
        ("bench", _all_of(runs, "bench")),
        ("chip", _all_of(runs, "chip")),
        ("mho", _all_of(runs, "mho")),
    ]
    if simulated:
        of = "all runs" if simulated == len(runs) else f"{simulated} of {len(runs)} runs"
        facts.append(("SIMULATED", f"{of}, presets {_all_of(runs, 'preset')}"))
    if starts and took:
        together, middle = duration_text(sum(took)), duration_text(float(np.median(took)))
        facts.append(("time of the runs", f"{together} together, median {middle}"))
    yield page.FactList(tuple((name, words) for name, words in facts if words))
    yield from _trouble(runs, skipped)


def _all_of(runs: Sequence[RunCard], fact: str) -> str:
    result = list(dict.fromkeys(str(getattr(run.card.facts, fact)) for run in runs))
    more = f", … ({len(result)})" if len(result) > MOST_VALUES else ""
    return ", ".join(filter(None, result[:MOST_VALUES])) + more


def _trouble(runs: Sequence[RunCard], skipped: Sequence[SkippedFile]) -> Iterator[page.Block]:
    if skipped:
        yield page.Heading("Damaged files", 2, "damaged")
        rows = [(one.path.name, one.reason) for one in skipped]
        yield page.grid(("file", "why"), rows, caption="Damaged files, left out", most=100, of="files")
    finished = [run for run in runs if run.finished and run.card.conclusion]
    empty = [run for run in finished if run.card.conclusion and not run.card.conclusion.measured]
    warned = [
        run for run in runs if run not in empty and run.card.conclusion and run.card.conclusion.warnings
    ]
    for title, anchor, some in (
        ("Runs that did not finish", "unfinished", [run for run in runs if not run.finished]),
        ("Runs that measured nothing", "nothing-measured", empty),
        ("Runs with warnings", "warned", warned),
    ):
        if some:
            yield page.Heading(title, 2, anchor)
            if anchor == "unfinished":
                yield page.Paragraph("They are used as far as they came.", page.DIM)
            outcomes: list[tuple[page.Words, ...]] = []
            for run in some:
                card, conclusion = run.card, run.card.conclusion
                state = page.TextSpan(status_words(card.status, conclusion), page.DOUBTFUL)
                outcome = outcome_line(card.status, card.reason, conclusion, named=False)
                outcomes.append(
                    (run.path.name, state, outcome, "; ".join(conclusion.warnings) if conclusion else "")
                )
            head = ("file", "how it stands", "outcome", "warnings")
            yield page.grid(head, outcomes, caption=title, most=100, of="runs")


# --- results of one procedure ---


def _procedure(
    runs: Sequence[RunCard], by: tuple[str, ...], kinds: Mapping[str, int], skipped: list[SkippedFile]
) -> Iterator[page.Block]:
    name = runs[0].card.facts.procedure
    of = f" of {name}" if len(kinds) > 1 else ""
    variations = varied(runs)
    chosen = by or chosen_groups(variations)
    groups = group_runs(chosen, runs)
    values, units = results_of(runs)
    yield page.Heading(f"What was varied{of}", 2, f"varied-{name}")
    yield from _varied(variations, runs)
    yield page.Heading(f"Results{of}", 2, f"results-{name}")
    if len(groups) > 1:
        yield page.Paragraph(f"Groups by {', '.join(chosen)}; quartiles over the runs of each.", page.DIM)
    yield from _results(values, units, groups)
    yield from _stand_apart(values, units, groups, runs)
    drawn, note, damaged = grouped_pictures(runs, groups)
    skipped += [one for one in damaged if one.path not in {known.path for known in skipped}]
    over = swept_pictures(runs, variations, chosen, values)
    yield from figure_blocks((*over, *drawn), note, f"Figures{of}", f"figures-{name}")


def _varied(variations: Sequence[Varied], runs: Sequence[RunCard]) -> Iterator[page.Block]:
    if not variations:
        yield page.Paragraph("Nothing: all runs have the same parameters and the same seed.", page.DIM)
        return
    rows = []
    for one in variations:
        shown = ", ".join(f"{text} ({count})" for text, count in one.values[:MOST_VALUES])
        if len(one.values) > MOST_VALUES:
            there = [text for text, _ in one.values if text != NOT_THERE]
            shown = f"from {there[0]} to {there[-1]}"
            shown += ", not there in some" * (len(there) < len(one.values))
        rows.append((one.name.replace("_", " "), str(len(one.values)), shown))
    head = ("what", "values", "which, and in how many runs")
    yield page.grid(head, rows, numbers=(1,), caption="What was varied", most=100)


def _results(
    values: Mapping[str, Floats], units: Mapping[str, str], groups: Sequence[Group]
) -> Iterator[page.Block]:
    known = {name: column[np.isfinite(column)] for name, column in values.items()}
    same = [name for name, column in known.items() if np.ptp(column) == 0.0]
    moving = [name for name in values if name not in same]
    if not values:
        yield page.Paragraph("No run has a result.", page.DIM)
    apart = {name: separation(values[name], groups) for name in moving}
    moving.sort(key=lambda name: -round(apart[name], 3))
    if len(groups) > 1 and moving:
        yield page.Paragraph("First the results in which the groups lie furthest apart.", page.DIM)
    for title, some in (("", moving[:FIRST_RESULTS]), ("more results", moving[FIRST_RESULTS:MOST_RESULTS])):
        if some:
            table = _table(some, values, units, groups)
            yield page.Folded(f"{len(some)} {title}", (table,)) if title else table
    if len(moving) > MOST_RESULTS:
        yield page.Paragraph(f"{len(moving) - MOST_RESULTS} more results are not shown.", page.DIM)
    if same:
        equal = [f"{name_text(one, units[one])} {_number(known[one][0], units[one])}" for one in same[:200]]
        verb = "is" if len(same) == 1 else "are"
        title = f"{page.counted(len(same), 'result')} {verb} the same in all runs"
        yield page.Folded(title, (page.Paragraph("; ".join(equal)),))


def _table(
    names: Sequence[str], values: Mapping[str, Floats], units: Mapping[str, str], groups: Sequence[Group]
) -> page.Block:
    rows = []
    for name in names:
        for group in groups:
            column = values[name][list(group.runs)]
            known = column[np.isfinite(column)]
            numbers = np.quantile(known, (0.5, 0.25, 0.75, 0.0, 1.0)) if known.size else [np.nan] * 5
            cells = (str(known.size), *(_number(number, units[name]) for number in numbers))
            rows.append((name_text(name, units[name]), group.label, *cells))
    head = ("result", "group", "runs", "median", "lower quartile", "upper quartile", "least", "largest")
    return page.grid(head, rows, numbers=range(2, 8), caption="Results by group", most=len(rows))


def _stand_apart(
    values: Mapping[str, Floats], units: Mapping[str, str], groups: Sequence[Group], runs: Sequence[RunCard]
) -> Iterator[page.Block]:
    outliers = all_outliers(dict(values), groups)
    yield page.Heading("Runs that stand apart", 3)
    if not outliers:
        yield page.Paragraph(
            "None: no result lies more than 3 distances between quartiles beyond them.", page.DIM
        )
        return
    rows = []
    for one in outliers:
        unit = units[one.result]
        value, median = (_number(number, unit) for number in (one.value, one.median))
        apart = "the only scatter" if np.isinf(one.distance) else f"{one.distance:.1f}"
        rows.append((runs[one.run].path.name, one.group, name_text(one.result, unit), value, median, apart))
    head = ("file", "group", "result", "value", "median of the group", "distance / quartiles' distance")
    note = "beyond 3 distances between quartiles; of each run the result that stands apart most"
    yield page.grid(
        head, rows, numbers=(3, 4, 5), caption="Runs that stand apart", note=note, most=MOST_OUTLIERS,
        of="runs",
    )  # fmt: skip


# --- all runs, and how to repeat them ---


def _listed(runs: Sequence[RunCard]) -> Iterator[page.Block]:
    yield page.Heading("Runs", 2, "runs")
    values, units = results_of(runs)
    known = {name: column[np.isfinite(column)] for name, column in values.items()}
    moving = [name for name, column in known.items() if column.size and np.ptp(column) > 0.0][:KEY_RESULTS]
    rows: list[tuple[page.Words, ...]] = []
    for place, run in enumerate(runs):
        facts = run.card.facts
        state: page.Words = run.card.status if run.finished else page.TextSpan(run.card.status, page.DOUBTFUL)
        numbers = [_number(values[name][place], units[name]) for name in moving]
        rows.append((run.path.name, facts.procedure, facts.preset, facts.seed, state, *numbers))
    named = [name_text(name, units[name]) for name in moving]
    head = ("file", "procedure", "preset", "seed", "how it stands", *named)
    table = page.grid(head, rows, numbers=range(5, len(head)), caption="Runs", most=MOST_LISTED, of="runs")
    yield page.Folded(page.counted(len(runs), "run"), (table,))


def _number(value: float, unit: str) -> str:
    return "-" if np.isnan(value) else number_text(handy_unit(unit)[0] * float(value))


def _repeat(plan: str) -> Iterator[page.Block]:
    yield page.Heading("How to repeat it", 2, "repeat")
    if plan:
        yield page.Paragraph("The whole campaign, from its plan:")
        yield page.Listing(f"mho campaign {PLAN}", "Command that repeats the campaign")
        yield page.Folded(
            f"The plan, {len(plan.splitlines())} lines", (page.listing(plan, "Plan of the campaign"),)
        )
    yield page.Paragraph(
        "One run, compared with it bit for bit, where its bench is simulated; and whether all files are whole:"
    )
    yield page.Listing("mho rerun RUN.h5\nmho verify *.h5", "Commands on its files")
