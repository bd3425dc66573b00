"""The crosspoints of a switch matrix that form each path, checked so that no path joins two sources."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

PATHS = ("READ", "SET", "RESET", "MULTIPLY", "INVERT")
GROUND = "ground"

_CROSSPOINT = re.compile(r"([1-6])([A-H])(0[1-9]|1[0-2])")
_ROW, _COLUMN = re.compile(r"[1-6][A-H]"), re.compile(r"[1-6](0[1-9]|1[0-2])")


def row_and_column(crosspoint: str) -> tuple[str, str]:
    """Split a crosspoint, ``1A03``, into its row, ``1A``, and its column, ``103``; raises `ValueError`."""
    match = _CROSSPOINT.fullmatch(crosspoint)
    if match is None:
        raise ValueError(f"{crosspoint!r} is no crosspoint; write slot, row, column as in '1A03'")
    slot, row, column = match.groups()
    return slot + row, slot + column


def check_paths(
    rows: Mapping[str, str], columns: Mapping[str, str], paths: Mapping[str, Iterable[str]],
    sources: Mapping[str, str],
) -> None:  # fmt: skip
    """Check a matrix's wiring and paths against the sources of a bench.

    `rows`: source at a row; ``ground`` is one.
    `columns`: terminal at a column.
    `paths`: crosspoints to close, by path.
    `sources`: terminal that each source should reach.
    `ValueError` naming the path, the crosspoint or source, and the error.
    """
    for what, names, pattern, example in (("row", rows, _ROW, "1A"), ("column", columns, _COLUMN, "103")):
        for name in names:
            if not pattern.fullmatch(name):
                raise ValueError(f"switch {what} {name!r}: write slot and {what} as in '{example}'")
    for row, source in rows.items():
        if source not in {*sources, GROUND}:
            raise ValueError(
                f"switch row {row}: {source!r} is no source; there are {', '.join([*sources, GROUND])}"
            )
    for path, crosspoints in paths.items():
        if path not in PATHS:
            raise ValueError(f"switch path {path!r}: there are {', '.join(PATHS)}")
        _check_path(path, crosspoints, rows, columns, sources)
    driving = {terminal: source for source, terminal in sources.items() if source.startswith("pulser")}
    needed = {"READ": "smu", "SET": driving["bit line"], "RESET": driving["source line"]}
    for path, source in needed.items():
        joined = {_joined(crosspoint, rows, columns) for crosspoint in paths.get(path, ())}
        for name in (source, "gate"):
            if (name, sources[name]) not in joined:
                raise ValueError(
                    f"switch path {path} does not bring {name} to the {sources[name]}: add the crosspoint that does"
                )


def _joined(crosspoint: str, rows: Mapping[str, str], columns: Mapping[str, str]) -> tuple[str, str]:
    row, column = row_and_column(crosspoint)
    return rows[row], columns[column]


def _check_path(
    path: str, crosspoints: Iterable[str], rows: Mapping[str, str], columns: Mapping[str, str],
    sources: Mapping[str, str],
) -> None:  # fmt: skip
    there: dict[str, str] = {}
    for crosspoint in crosspoints:
        row, column = row_and_column(crosspoint)
        if row not in rows or column not in columns:
            what = f"row {row}" if row not in rows else f"column {column}"
            raise ValueError(
                f"switch path {path}: {crosspoint} uses {what}, to which nothing is wired: name it, or leave this out"
            )
        source, terminal = rows[row], columns[column]
        if source != GROUND and sources[source] != terminal:
            raise ValueError(
                f"switch path {path}: {crosspoint} brings {source} to the {terminal}; it is meant for the "
                f"{sources[source]}"
            )
        if there.setdefault(terminal, source) != source:
            raise ValueError(
                f"switch path {path} joins {there[terminal]} and {source} on the {terminal}: leave one out"
            )
