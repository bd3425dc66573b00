"""The crosspoints of a switch matrix that form each path, checked so that no path joins two sources.

In front of a board, a path is a list of crosspoints; at the lines of a chip, the path to a cell follows from the columns at
which its lines are (`CellWiring`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

PATHS = ("READ", "SET", "RESET", "MULTIPLY", "INVERT")
GROUND = "ground"
Bias = Literal["float", "V/2"]  # of the lines that are not selected: V/2 grounds them, and halves the pulses


class CrosspointNames:
    """How a 707B, or a matrix of one's own, names crosspoints: ``1A03`` joins row ``1A`` and column ``103``, slot first."""

    written = "slot, row, column as in '1A03'"
    row_written, column_written = "slot and row as in '1A'", "slot and column as in '103'"
    crosspoint = re.compile(r"([1-6])([A-H])(0[1-9]|1[0-2])")
    row, column = re.compile(r"[1-6][A-H]"), re.compile(r"[1-6](0[1-9]|1[0-2])")

    def split(self, name: str) -> tuple[str, str]:
        """Return row and column of a crosspoint; raises `ValueError` for none."""
        match = self.crosspoint.fullmatch(name)
        if match is None:
            raise ValueError(f"{name!r} is no crosspoint; write {self.written}")
        return self._joined(*match.groups())

    def _joined(self, slot: str, row: str, column: str) -> tuple[str, str]:
        return slot + row, slot + column

    def join(self, row: str, column: str) -> str | None:
        """Return the crosspoint of a row and a column; None where no relay is between them."""
        return row + column[1:] if row[0] == column[0] else None

    def row_at(self, column: str) -> str:
        """Return a row that a relay joins to a column, as it stands in a file."""
        return f"{column[0]}A"


class InputsAndOutputs(CrosspointNames):
    """A B2201A's: ``10203``, card first, joins ``input 2``, which all cards share, and ``output 3`` of 12 a card."""

    written = "card (1 to 4), input (01 to 14), output (01 to 12) as in '10102'"
    row_written, column_written = "'input 1' to 'input 14'", "'output 1' to 'output 48'"
    crosspoint = re.compile(r"([1-4])(0[1-9]|1[0-4])(0[1-9]|1[0-2])")
    row = re.compile(r"input ([1-9]|1[0-4])")
    column = re.compile(r"output ([1-9]|[1-3][0-9]|4[0-8])")

    def _joined(self, slot: str, row: str, column: str) -> tuple[str, str]:
        return f"input {int(row)}", f"output {12 * (int(slot) - 1) + int(column)}"

    def join(self, row: str, column: str) -> str | None:
        """Return the crosspoint of an input and an output."""
        card, output = divmod(int(column.split()[1]) - 1, 12)
        return f"{card + 1}{int(row.split()[1]):02}{output + 1:02}"

    def row_at(self, column: str) -> str:
        """Return an input: any reaches every output."""
        return '"input 1"'


NAMES: Mapping[str, CrosspointNames] = {"keysightb2201a": InputsAndOutputs()}
"""Names of crosspoints by driver, where they are not those of a 707B."""
SLOTS = CrosspointNames()


def check_paths(
    rows: Mapping[str, str], columns: Mapping[str, str], paths: Mapping[str, Iterable[str]],
    sources: Mapping[str, str], names: CrosspointNames = SLOTS,
) -> None:  # fmt: skip
    """Check a matrix's wiring and paths against the sources of a bench.

    `rows`: source at a row; ``ground`` is one.
    `columns`: terminal at a column.
    `paths`: crosspoints to close, by path.
    `sources`: terminal that each source should reach.
    `names`: of its crosspoints.
    `ValueError` naming the path, the crosspoint or source, and the error.
    """
    _check_names(rows, columns, sources, names)
    for path, crosspoints in paths.items():
        if path not in PATHS:
            raise ValueError(f"switch path {path!r}: there are {', '.join(PATHS)}")
        _check_path(path, crosspoints, rows, columns, sources, names)
    driving = {terminal: source for source, terminal in sources.items() if source.startswith("pulser")}
    needed = {"READ": "smu", "SET": driving["bit line"], "RESET": driving["source line"]}
    for path, source in needed.items():
        joined = {_joined(crosspoint, rows, columns, names) for crosspoint in paths.get(path, ())}
        for name in (source, "gate"):
            if (name, sources[name]) not in joined:
                raise ValueError(
                    f"switch path {path} does not bring {name} to the {sources[name]}: add the crosspoint that does"
                )


def _check_names(
    rows: Mapping[str, str], columns: Iterable[str], sources: Mapping[str, str], names: CrosspointNames
) -> None:
    for what, given, pattern, written in (
        ("row", rows, names.row, names.row_written),
        ("column", columns, names.column, names.column_written),
    ):
        for name in given:
            if not pattern.fullmatch(name):
                raise ValueError(f"switch {what} {name!r}: write {written}")
    for row, source in rows.items():
        if source not in {*sources, GROUND}:
            raise ValueError(
                f"switch row {row}: {source!r} is no source; there are {', '.join([*sources, GROUND])}"
            )


def _joined(
    crosspoint: str, rows: Mapping[str, str], columns: Mapping[str, str], names: CrosspointNames
) -> tuple[str, str]:
    row, column = names.split(crosspoint)
    return rows[row], columns[column]


def _check_path(
    path: str, crosspoints: Iterable[str], rows: Mapping[str, str], columns: Mapping[str, str],
    sources: Mapping[str, str], names: CrosspointNames,
) -> None:  # fmt: skip
    there: dict[str, str] = {}
    for crosspoint in crosspoints:
        row, column = names.split(crosspoint)
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


@dataclass(frozen=True)
class CellWiring:
    """The columns of a switch matrix at which the lines of an array are, by their number.

    `rows`: source at a row of the matrix; ``ground`` is one.
    `bit_lines`, `word_lines`: by row of the array; one word line is that of all rows; none: it is not switched.
    `source_lines`: by column of the array; none: they are grounded for good.
    `sources`: terminal that each source should reach.
    `names`: of the matrix's crosspoints.
    `bias`: what the lines are at that are not selected.
    """

    rows: Mapping[str, str]
    bit_lines: Sequence[str]
    source_lines: Sequence[str]
    word_lines: Sequence[str]
    sources: Mapping[str, str]
    names: CrosspointNames = SLOTS
    bias: Bias = "float"

    def crosspoints(self, path: str, row: int, column: int) -> frozenset[str]:
        """Return the crosspoints that connect a cell for a use: every line to one source, or to ground.

        `ValueError` when a source that is needed there is at no row of the column's slot.
        """
        use, ends = self._uses()[path], [("bit line", self.bit_lines[row])]
        if self.source_lines:
            ends.append(("source line", self.source_lines[column]))
        if self.word_lines:
            ends.append(("word line", self.word_lines[row if len(self.word_lines) > 1 else 0]))
        closed = [self._crosspoint(use[line], at) for line, at in ends]
        if self.bias != "float":
            others = [*self.bit_lines[:row], *self.bit_lines[row + 1 :]]
            others += [*self.source_lines[:column], *self.source_lines[column + 1 :]]
            closed += [self._crosspoint(GROUND, at) for at in others]
        return frozenset(closed)

    def every_path(self) -> Iterable[frozenset[str]]:
        """Return the crosspoints of every use of the cells of the first column and of the first row, each once."""
        cells = [(row, 0) for row in range(len(self.bit_lines))]
        cells += [(0, column) for column in range(1, len(self.source_lines))]
        return dict.fromkeys(self.crosspoints(path, *cell) for path in self._uses() for cell in cells)

    def lines(self) -> dict[str, tuple[str, int]]:
        """Return line and number at each column of the matrix."""
        groups = (
            ("bit line", self.bit_lines), ("source line", self.source_lines), ("word line", self.word_lines),
        )  # fmt: skip
        return {at: (line, number) for line, group in groups for number, at in enumerate(group)}

    def check(self) -> None:
        """Raise `ValueError` naming the row, column or source that cannot be so."""
        columns = [*self.bit_lines, *self.source_lines, *self.word_lines]
        _check_names(self.rows, columns, self.sources, self.names)
        for column in columns:
            if columns.count(column) > 1:
                raise ValueError(f"two lines of the chip are at switch column {column}: give each its own")
        if "smu" not in self.sources:
            raise ValueError("the switch matrix selects cells, and no source-measure unit is at the bit line")
        if "source line" in self.sources.values() and not self.source_lines:
            raise ValueError(
                "a source is at the source line, and the switch matrix brings it to none: list `source_lines`"
            )
        if bool(self.word_lines) != ("gate" in self.rows.values()):
            raise ValueError(
                'the gate goes through the switch matrix with a row named "gate" and `word_lines`, or past it with neither'
            )
        list(self.every_path())

    def _uses(self) -> dict[str, dict[str, str]]:
        """Return the source of each line by path."""
        driving = {line: source for source, line in self.sources.items() if source.startswith("pulser")}
        sink = "sink" if "sink" in self.sources else GROUND
        read = {"bit line": "smu", "source line": sink, "word line": "gate"}
        up = read | (
            {"bit line": driving["bit line"], "source line": GROUND} if "bit line" in driving else {}
        )
        across = driving.get("source line")
        down = up if across is None else read | {"bit line": GROUND, "source line": across}
        return {"READ": read, "SET": up, "RESET": down}

    def _crosspoint(self, source: str, column: str) -> str:
        for row, name in self.rows.items():
            if name == source and (crosspoint := self.names.join(row, column)) is not None:
                return crosspoint
        raise ValueError(
            f"switch column {column} needs {source}, which is at no row that reaches it: name one, as in "
            f'rows = {{ {self.names.row_at(column)} = "{source}" }}'
        )
