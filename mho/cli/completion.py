"""Completions for a shell: names from the place where each is listed, loaded only on completion."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module


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


def _listed(place: str) -> Callable[[], list[str]]:
    """Return what returns the names at a place, ``module:attribute``, which is imported then."""
    module, _, attribute = place.partition(":")
    return lambda: list(getattr(import_module(module), attribute))


presets = _listed("mho.instruments.simulated:CELL_PRESETS")
export_forms = _listed("mho.analysis.exports:FORMS")
fits = _listed("mho.runs.figures:FITS")
groupings = _listed("mho.analysis.grouping:GROUPINGS")
