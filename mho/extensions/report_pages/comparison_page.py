"""The page about several runs, or groups of them: what differs, by how much, and their figures over one another."""

from __future__ import annotations

from collections.abc import Iterator

from mho.analysis import Group, RunCard
from mho.analysis.comparisons import (
    Comparison,
    DifferingSetting,
    difference_text,
    effect_texts,
    named,
    ratio_text,
    sides_said,
    value_text,
)
from mho.extensions.report_pages import documents as page
from mho.extensions.report_pages.run_figures import figure_blocks, grouped_pictures, overlaid_pictures
from mho.runs import Status
from mho.runs.index import read_card

MOST_RUNS_LISTED = 200
MEASURES = (
    ("difference", "of the medians, with the interval between their order statistics, or of the means, with Welch's"),
    ("Hedges' g", "difference of means in units of the common standard deviation"),
    ("Cliff's delta", "share of pairs in which the second is larger, less that in which it is smaller"),
)  # fmt: skip


def comparison_document(
    comparison: Comparison, *, command: str = "", personal: bool = False
) -> page.Document:
    """Return the page about a comparison that a command makes, with folders if it is `personal`."""
    subject = sides_said(comparison)
    title = f"Comparison of {' and '.join(side.name for side in comparison.sides)}"
    blocks = (
        page.Paragraph(f"{subject}."), *_known(comparison), *_settings(comparison), *_results(comparison),
        *_figures(comparison), *_runs(comparison),
        page.Heading("How it was compared", 2, "repeat"), page.FactList(MEASURES),
        *([page.Listing(command, "Command that makes the comparison")] if command else []),
    )  # fmt: skip
    document = page.Document(title[:200], blocks, subject)
    return document if personal else page.map_texts(document, page.without_folders)


def _known(comparison: Comparison) -> Iterator[page.Block]:
    for note in comparison.notes:
        yield page.Paragraph(note, page.DOUBTFUL)
    if comparison.marked:
        rows = [(name, page.TextSpan(state, page.DOUBTFUL)) for name, state in comparison.marked]
        what = "did not finish or measured nothing"
        yield page.Paragraph(f"These runs {what}, and are used as far as they came:", page.DOUBTFUL)
        yield page.grid(("run", "how it stands"), rows, caption=f"Runs that {what}", most=50, of="runs")
    if comparison.skipped:
        yield page.Paragraph("These files cannot be read, and are left out:", page.BAD)
        damaged = [(one.path.name, one.reason) for one in comparison.skipped]
        yield page.grid(("file", "why"), damaged, caption="Damaged files", most=50, of="files")


def _settings(comparison: Comparison) -> Iterator[page.Block]:
    yield page.Heading("Settings that differ", 2, "settings")
    if not (comparison.settings or comparison.texts or comparison.packages):
        yield page.Paragraph("None.", page.DIM)
    if comparison.settings:
        yield _side_by_side("setting", comparison.settings, comparison, "Settings that differ")
    sentence = f"{comparison.same} settings are the same."
    if comparison.varied:
        sentence += f" On every side alike vary: {', '.join(comparison.varied)}."
    yield page.Paragraph(sentence, page.DIM)
    first = comparison.sides[0].name
    for text in comparison.texts:
        shown = "\n".join(text.lines) + (f"\n… {text.left_out} more lines" if text.left_out else "")
        title = f"{text.what[:1].upper()}{text.what[1:]}: {first} (-) and {text.side} (+)"
        yield page.Folded(title, (page.Listing(shown, title),))
    if comparison.packages:
        table = _side_by_side("package", comparison.packages, comparison, "Packages that differ")
        yield page.Folded(f"{len(comparison.packages)} packages differ", (table,))


def _results(comparison: Comparison) -> Iterator[page.Block]:
    yield page.Heading("Results that differ", 2, "results")
    shown = [one for one in comparison.results if one.differs]
    equal = [one for one in comparison.results if not one.differs]
    if not comparison.results:
        yield page.Paragraph("The runs have no numbers in common.", page.DIM)
    elif not shown:
        yield page.Paragraph("None.", page.DIM)
    else:
        yield page.Paragraph("The largest effect first.", page.DIM)
        yield _groups(comparison) if comparison.grouped else _singles(comparison)
    if equal:
        names = ", ".join(f"{named(one)} {value_text(one.samples[0], one.unit)}" for one in equal)
        text = f"{page.counted(len(equal), 'result')} {'is' if len(equal) == 1 else 'are'} the same"
        yield page.Folded(text, (page.Paragraph(names),))
    if comparison.words:
        yield page.Heading("Results in words that differ", 3)
        yield _side_by_side("result", comparison.words, comparison, "Results in words that differ")
    for side, alone in comparison.alone.items():
        yield page.Paragraph(f"Not on every side, of {side}: {', '.join(alone[:100])}.", page.DIM)


def _singles(comparison: Comparison) -> page.Block:
    two = len(comparison.sides) == 2
    head = ["result", *(side.name for side in comparison.sides), *(["difference", "ratio"] * two)]
    rows = []
    for one in comparison.results:
        if one.differs:
            beside = [difference_text(one.effects[0], one.unit), ratio_text(one.effects[0])] * two
            rows.append((named(one), *(value_text(sample, one.unit) for sample in one.samples), *beside))
    return page.grid(head, rows, numbers=range(1, len(head)), caption="Results that differ", of="results")


def _groups(comparison: Comparison) -> page.Block:
    rows: list[tuple[page.Words, ...]] = []
    for one in comparison.results:
        if not one.differs:
            continue
        first = value_text(one.samples[0], one.unit)
        rows.append((named(one), comparison.sides[0].name, first, "", "", "", ""))
        for side, sample, effect in zip(comparison.sides[1:], one.samples[1:], one.effects, strict=True):
            effects = ("-",) * 4 if effect is None else effect_texts(effect, one.unit)
            rows.append((named(one), side.name, value_text(sample, one.unit), *effects))
    head = (
        "result", "side", f"{comparison.centre} (quartiles), n", "difference [95 %]", "Hedges' g [95 %]",
        "Cliff's delta [95 %]", "p, Mann and Whitney",
    )  # fmt: skip
    return page.grid(head, rows, numbers=(2, 3, 4, 5, 6), caption="Results that differ", of="rows")


def _side_by_side(
    what: str, settings: tuple[DifferingSetting, ...], comparison: Comparison, caption: str
) -> page.Block:
    rows = [(one.name, *one.values) for one in settings]
    head = (what, *(side.name for side in comparison.sides))
    return page.grid(head, rows, caption=caption, most=200, of=f"{what}s")


def _figures(comparison: Comparison) -> Iterator[page.Block]:
    if comparison.grouped:
        cards = [RunCard(run.path, read_card(run.path)) for side in comparison.sides for run in side.runs]
        groups, place = [], 0
        for side in comparison.sides:
            groups.append(Group(side.name, tuple(range(place, place + len(side.runs)))))
            place += len(side.runs)
        drawn, note, _ = grouped_pictures(cards, groups)
    else:
        paths = [side.runs[0].path for side in comparison.sides]
        drawn, note = overlaid_pictures(paths, [side.name for side in comparison.sides])
    yield from figure_blocks(drawn, note)


def _runs(comparison: Comparison) -> Iterator[page.Block]:
    yield page.Heading("Runs", 2, "runs")
    rows: list[tuple[page.Words, ...]] = []
    for side in comparison.sides:
        for run in side.runs:
            state: page.Words = (
                run.status if run.status == Status.FINISHED else page.TextSpan(run.status, page.DOUBTFUL)
            )
            rows.append((side.name, run.path.name, run.procedure, state, run.seed))
    head = ("side", "file", "procedure", "how it stands", "seed")
    table = page.grid(head, rows, caption="Runs", most=MOST_RUNS_LISTED, of="runs")
    yield table if len(rows) <= 20 else page.Folded(f"{len(rows)} runs", (table,))
