"""Completions for a shell: names from the place where each is listed, loaded only on completion."""

from __future__ import annotations


def presets() -> list[str]:
    """Return the cell presets of a simulated bench."""
    from mho.instruments.simulated import CELL_PRESETS

    return list(CELL_PRESETS)


def benches() -> list[str]:
    """Return the packaged benches; where none fits, a shell goes on with the files there are."""
    from mho.instruments.bench_file import packaged_benches

    return packaged_benches()


def procedures() -> list[tuple[str, str]]:
    """Return the procedures there are, each with the first line of what it says of itself."""
    from mho.procedures.manifest import known_entries

    return [(name, entry.line) for name, entry in known_entries().items()]


def strategies() -> list[str]:
    """Return the programming strategies there are."""
    from mho.procedures import known_strategies

    return ["all", *known_strategies()]


def export_forms() -> tuple[str, ...]:
    """Return the forms in which a run can be exported."""
    from mho.analysis.exports import FORMS

    return FORMS


def fits() -> tuple[str, ...]:
    """Return the fits that a figure can have."""
    from mho.runs.figures import FITS

    return FITS


def report_kinds() -> tuple[str, ...]:
    """Return the kinds of reports there are."""
    from mho.analysis.report_pages import KINDS

    return KINDS


def groupings() -> tuple[str, ...]:
    """Return the facts by which runs are grouped, beside their parameters and results."""
    from mho.analysis.grouping import GROUPINGS

    return GROUPINGS
