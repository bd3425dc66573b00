"""The page about a campaign: how many runs of how many, the comparison it was made for, and what stands behind that."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from mho.analysis import Group, RunCard, SkippedFile, group_runs, read_cards
from mho.analysis.comparisons import number_text
from mho.analysis.figures import LEADING, compare, runs_of_groups, table_figure
from mho.analysis.reports import duration_text, handy_unit, left_out_tries, name_text, parameter_text
from mho.array_types import Floats
from mho.confidence import median_interval
from mho.errors import InputError, RunFileError
from mho.extensions.report_pages import documents as page
from mho.extensions.report_pages.campaign_facts import (
    NOT_THERE,
    Varied,
    all_outliers,
    chosen_groups,
    moved_results,
    results_of,
    separation,
    swept,
    varied,
)
from mho.extensions.report_pages.kinds import PLAN, read_plan
from mho.extensions.report_pages.run_figures import figure_blocks, grouped_pictures, with_captions
from mho.procedures import asked_for
from mho.runs import RunFile, outcome_line, status_words


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
FIRST_REASONS = 6  # why runs have not finished, in the box at the top
LEADING_RESULTS = 3  # in the comparison
KEY_RESULTS = 4  # in the list of runs


def campaign_document(places: Sequence[Path], *, by: str = "", personal: bool = False) -> page.Document:
    """Return the page about the runs at places, with folders if `personal`, grouped by what was varied, or `by` a name.

    Raises `InputError`: no run can be read, or a name of `by` is unknown.
    """
    runs, skipped = read_cards(places)
    named = tuple(filter(None, map(str.strip, by.split(","))))
    kinds = Counter(run.card.facts.procedure for run in runs)
    parts = [
        Part(
            f" of {kind}" * (len(kinds) > 1),
            tuple(run for run in runs if run.card.facts.procedure == kind),
            named,
        )
        for kind, _ in kinds.most_common(MOST_PROCEDURES)
    ]
    compared = [block for part in parts for block in _compared(part, skipped)]  # finds damaged files
    folder = places[0] if places[0].is_dir() else places[0].parent  # the plan is in it, or above it
    plan = next(filter(None, map(read_plan, (folder, folder.resolve().parent))), "")
    tables = (*(block for part in parts for block in _tables(part)), *_trouble(runs, skipped), *_listed(runs))
    blocks = (
        _verdict(runs, skipped, left_out_tries(*places)), *compared,
        *(block for part in parts for block in _varied(part)), *_made_on(runs, kinds),
        *(block for part in parts for block in _differences(part)),
        page.Heading("Tables and records", 2, "tables"), *page.folded(tables), *_repeat(plan),
    )  # fmt: skip
    whole, count = folder.resolve(), page.counted(len(runs), "run")
    title = f"Campaign {whole.parent.name if whole.name == 'runs' else whole.name}: {count}"
    document = page.Document(title, blocks, f"Campaign of {count} of {', '.join(kinds)}")
    return document if personal else page.map_texts(document, page.without_folders)


# --- how it went ---


def _verdict(runs: Sequence[RunCard], skipped: Sequence[SkippedFile], tries: str) -> page.VerdictBox:
    """Return how many of how many runs have finished, why the others have not, and how much of it was simulated."""
    folders: dict[Path, list[RunCard]] = {}
    for run in runs:
        folders.setdefault(run.path.parent, []).append(run)
    planned = sum(max(len(here), *map(_planned, (here[0], here[-1]))) for here in folders.values())
    states = Counter(str(run.card.status) for run in runs)
    finished = states.pop("finished", 0)
    of = max(planned, len(runs) + len(skipped))
    states |= {"damaged": len(skipped), "left": max(of - len(runs) - len(skipped), 0)}
    others = ", ".join(f"{count} {state}" for state, count in states.items() if count)
    empty = sum(run.finished and _measured_nothing(run) for run in runs)
    warned = sum(bool(run.card.conclusion and run.card.conclusion.warnings) for run in runs)
    bad = bool(skipped or states.get("failed"))
    tone = page.BAD if bad else page.DOUBTFUL if finished < of or empty else page.GOOD
    said = page.TextSpan(f"{finished} of {page.counted(of, 'run')} finished", tone)
    blocks = [page.Paragraph((said, f": {others}" * bool(others), "." * bool(others)))]
    if finished < of:
        blocks.append(page.Paragraph("What follows is of a part of the campaign.", page.DOUBTFUL))
    if simulated := sum(bool(run.card.facts.preset) for run in runs):
        which = "all runs" if simulated == len(runs) else f"{simulated} of {len(runs)} runs"
        words = f": {which}, presets {_all_of(runs, 'preset')}; no chip was measured there."
        blocks.append(page.Paragraph((page.TextSpan("SIMULATED", page.DOUBTFUL), words)))
    for count, what in ((empty, "measured nothing"), (warned, "warned")):
        if count:
            blocks.append(page.Paragraph(f"{page.counted(count, 'run')} {what}; see below.", page.DOUBTFUL))
    reasons = [f"{one.path.name}: damaged: {one.reason}" for one in skipped]
    reasons += [f"{run.path.name}: {_outcome(run)}" for run in runs if not run.finished]
    paragraphs = [page.Paragraph(one, page.DIM) for one in reasons[:MOST_OUTLIERS]]
    more = page.Folded(f"and {len(reasons) - FIRST_REASONS} more", tuple(paragraphs[FIRST_REASONS:]))
    tried = [page.Paragraph(f"{tries}.", page.DIM)] * bool(tries)
    return page.VerdictBox(
        (*blocks, *paragraphs[:FIRST_REASONS], *([more] * (len(reasons) > FIRST_REASONS)), *tried), tone
    )


def _measured_nothing(run: RunCard) -> bool:
    return run.card.conclusion is not None and not run.card.conclusion.measured


def _outcome(run: RunCard) -> str:
    return outcome_line(run.card.status, run.card.reason, run.card.conclusion)


def _planned(run: RunCard) -> int:
    """Return how many runs the campaign has that a run was made in; 0 where it does not say so."""
    try:
        with RunFile(run.path, whole=False) as file:
            _, of, planned = file.provenance.get("planned_run", "").partition(" of ")
    except RunFileError:
        return 0
    return int(planned) if of and planned.isascii() and planned.isdigit() else 0


def _made_on(runs: Sequence[RunCard], kinds: Mapping[str, int]) -> Iterator[page.Block]:
    """Return what was run on what, when, and what of it was not as by default in every run alike."""
    yield page.Heading("What was run on what", 2, "run")
    starts = sorted(run.card.facts.start for run in runs if run.card.facts.start is not None)
    took = [run.card.end - run.card.facts.start for run in runs if run.card.end and run.card.facts.start]
    facts: list[tuple[str, page.Words]] = [
        ("procedures", ", ".join(f"{name} ({count})" for name, count in kinds.items())),
        ("chip", _all_of(runs, "chip")),
        ("bench", _all_of(runs, "bench")),
        ("preset", _all_of(runs, "preset")),
        ("mho", _all_of(runs, "mho")),
    ]
    if starts and took:
        first, last = (
            f"{datetime.fromtimestamp(one, UTC):%Y-%m-%d %H:%M}" for one in (starts[0], starts[-1])
        )
        facts.append(("started", f"{first} UTC" if first == last else f"{first} to {last} UTC"))
        together, middle = duration_text(sum(took)), duration_text(float(np.median(took)))
        facts.append(("time of the runs", f"{together} together, median {middle}"))
    yield page.FactList(tuple((name, words) for name, words in facts if words))


def _differences(part: Part) -> Iterator[page.Block]:
    """Return what all runs have in common that is not as by default, as the first of them says it."""
    try:
        with RunFile(part.runs[0].path, whole=False) as file:
            asked = asked_for(part.name, file.parameters)
    except RunFileError:
        return
    moving = {one.name.removeprefix("parameter.") for one in part.variations}
    rows = [(one.label or name, parameter_text(one)) for name, one in asked.items() if name not in moving]
    yield page.Heading(f"What differs from the defaults in all runs{part.of}", 2, f"differences-{part.name}")
    nothing = page.Paragraph("Nothing but what was varied.", page.DIM)
    yield page.FactList(tuple(rows)) if rows else nothing


def _all_of(runs: Sequence[RunCard], fact: str) -> str:
    result = list(dict.fromkeys(str(getattr(run.card.facts, fact)) for run in runs))
    more = f", … ({len(result)})" if len(result) > MOST_VALUES else ""
    return ", ".join(filter(None, result[:MOST_VALUES])) + more


def _trouble(runs: Sequence[RunCard], skipped: Sequence[SkippedFile]) -> Iterator[page.Block]:
    if skipped:
        yield page.Heading(f"{page.counted(len(skipped), 'damaged file')}", 2, "damaged")
        rows = [(one.path.name, one.reason) for one in skipped]
        yield page.grid(("file", "why"), rows, caption="Damaged files, left out", most=100, of="files")
    empty = [run for run in runs if run.finished and _measured_nothing(run)]
    warned = [
        run for run in runs if run not in empty and run.card.conclusion and run.card.conclusion.warnings
    ]
    for title, anchor, some in (
        ("that did not finish", "unfinished", [run for run in runs if not run.finished]),
        ("that measured nothing", "nothing-measured", empty),
        ("with warnings", "warned", warned),
    ):
        if some:
            yield page.Heading(f"{page.counted(len(some), 'run')} {title}", 2, anchor)
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
            yield page.grid(head, outcomes, caption=f"Runs {title}", most=100, of="runs")


# --- results of one procedure ---


class Part:
    """The runs of one procedure, grouped by what was varied, or by what is `named`; `of` says whose they are."""

    def __init__(self, of: str, runs: tuple[RunCard, ...], named: tuple[str, ...]) -> None:
        self.of, self.runs = of, runs
        self.name = runs[0].card.facts.procedure
        self.variations = varied(runs)
        self.by = named or chosen_groups(self.variations)
        self.groups = group_runs(self.by, runs)
        self.values, self.units = results_of(runs)
        self.swept = swept(self.variations, runs)
        self.more: tuple[page.Picture, ...] = ()  # figures beside those of the comparison
        self.note = ""  # of figures that are not shown


def _compared(part: Part, skipped: list[SkippedFile]) -> Iterator[page.Block]:
    """Return the comparison that the campaign was made for: its leading results over what was swept, or by group."""
    drawn, part.note, damaged = grouped_pictures(part.runs, part.groups)
    skipped += [one for one in damaged if one.path not in {known.path for known in skipped}]
    over = swept_pictures(part.runs, part.variations, part.by, part.values)
    first, part.more = (over[:LEADING], (*over[LEADING:], *drawn)) if over else (drawn[:2], drawn[2:])
    swept_by = ", ".join(name.replace("_", " ") for name in part.swept) or ", ".join(part.by) or "all runs"
    yield page.Heading(
        f"Results{part.of} by {swept_by}" if part.by or part.swept else f"Results{part.of}",
        2,
        f"compared-{part.name}",
    )
    if first:
        yield page.Pictures(with_captions(first))
    name = next(
        (one for one in part.swept if one not in {each.removeprefix("parameter.") for each in part.by}), ""
    )
    groups = group_runs((name,), part.runs) if name else part.groups
    leading = _leading(part, groups)
    if not leading:
        yield page.Paragraph(
            "No result differs between the runs." if part.values else "No run has a result.", page.DIM
        )
        return
    rows: list[tuple[page.Words, ...]] = []
    for group in groups:
        cells = [
            cell for one in leading for cell in _median(part.values[one][list(group.runs)], part.units[one])
        ]
        rows.append((group.label, str(len(group.runs)), *cells))
    head = (
        "runs of",
        "runs",
        *(text for one in leading for text in (name_text(one, part.units[one]), "[95 %]")),
    )
    note = "medians over the runs of each group" + "; an interval takes five of them" * any(
        "" in row for row in rows
    )
    yield page.grid(
        head, rows, numbers=range(1, len(head)), caption="The comparison", note=note, most=50, of="groups"
    )


def _leading(part: Part, groups: Sequence[Group]) -> list[str]:
    """Return the results that the comparison is of: those that what was swept moves most, or by which groups lie apart."""
    if part.swept:
        return moved_results(next(iter(part.swept.values())), part.values)[:LEADING_RESULTS]
    moving = [name for name, column in part.values.items() if np.ptp(column[np.isfinite(column)]) > 0.0]
    moving.sort(key=lambda name: -round(separation(part.values[name], groups), 3))
    return moving[:LEADING_RESULTS]


def _median(values: Floats, unit: str) -> tuple[str, str]:
    """Return a median and its interval of 95 % as text, this empty where the values are too few."""
    known = values[np.isfinite(values)]
    if not known.size:
        return "-", ""
    low, high = median_interval(known)
    interval = "" if math.isnan(low) else f"{_number(low, unit)} to {_number(high, unit)}"
    return _number(float(np.median(known)), unit), interval


def _tables(part: Part) -> Iterator[page.Block]:
    """Return all results by group, the runs that stand apart, and the figures beside those of the comparison."""
    yield page.Heading(f"All results{part.of}", 2, f"results-{part.name}")
    if len(part.groups) > 1:
        yield page.Paragraph(f"Groups by {', '.join(part.by)}; quartiles over the runs of each.", page.DIM)
    yield from _results(part.values, part.units, part.groups)
    yield page.Heading(f"Runs{part.of} that stand apart", 2, f"apart-{part.name}")
    yield from _stand_apart(part.values, part.units, part.groups, part.runs)
    if part.more or part.note:
        title = f"More figures{part.of}: {len(part.more)}"
        yield from figure_blocks(part.more, part.note, title, f"figures-{part.name}")


def _varied(part: Part) -> Iterator[page.Block]:
    variations = part.variations
    yield page.Heading(f"What was varied{part.of}", 2, f"varied-{part.name}")
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
    yield page.Heading(page.counted(len(runs), "run"), 2, "runs")
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
    yield page.grid(head, rows, numbers=range(5, len(head)), caption="Runs", most=MOST_LISTED, of="runs")


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
