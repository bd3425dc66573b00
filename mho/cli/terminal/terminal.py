"""The terminal that mho prints to: it shows what a text holds, and obeys none of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rich.cells import cell_len
from rich.console import Console, OverflowMethod
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from mho.escaping import visible

WIDE = 300  # characters: of a line in a pipe or a file, where rich would take 80


GAP = 2  # characters between the columns of a list


@dataclass(frozen=True, eq=False)
class ListColumn:
    """A column of a list that has one line an entry.

    Attributes
    ----------
    telling : int
        Its rank: 0 is shown at any width, the highest is left out first.
    least : int
        Characters to which it may be cut; 0: it is shown whole or not at all.
    """

    title: str
    texts: Sequence[str | Text]
    telling: int = 0
    least: int = 0
    right: bool = False

    @property
    def width(self) -> int:
        """Characters of its longest text."""
        return max(cell_len(str(text)) for text in (self.title, *self.texts))

    @property
    def narrowest(self) -> int:
        """Characters that it takes at least."""
        return min(self.width, self.least) if self.least else self.width


class Terminal(Console):
    """A console on which a text from a file is only ever text: no escape sequence, no markup of rich, no emoji code.

    What is styled is styled by `rich.text.Text` or `style`. Parameters are rich's. Where sentences are not wrapped
    (`soft_wrap`) and no terminal says how wide it is, tables are not cut either.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"markup": False, "emoji": False, "highlight": False, **options})
        self._endless = not self.is_terminal and not {"width", "COLUMNS"} & {*options, *self._environ}
        if self.soft_wrap and self._endless:
            self.width = WIDE

    def print_list(self, columns: Sequence[ListColumn]) -> None:
        """Print a heading and one line an entry, with the most telling columns that the width has room for.

        Where no terminal says how wide it is, everything is printed. ``telling`` decides what is left out and what may
        be widened first; columns are shown in the order given.
        """
        columns = [replace(one, texts=list(map(_on_one_line, one.texts))) for one in columns]
        whole = sum(column.width + GAP for column in columns)
        room = whole if self._endless else self.width + GAP
        widths: dict[ListColumn, int] = {}
        for column in sorted(columns, key=lambda one: one.telling):
            if not column.telling or column.narrowest + GAP <= room:
                widths[column] = column.narrowest
                room -= column.narrowest + GAP
        for column in widths:
            wider = min(max(room, 0), column.width - column.narrowest)
            widths[column] += wider
            room -= wider
        table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="dim")
        shown = [column for column in columns if column in widths]
        for column in shown:
            table.add_column(
                Text(column.title), width=widths[column], no_wrap=True, overflow="ellipsis",
                justify="right" if column.right else "left",
            )  # fmt: skip
        for row in zip(*(column.texts for column in shown), strict=True):
            table.add_row(*row)
        if self._endless:
            self.width = max(self.width, whole)
        self.print(table)

    def _render_buffer(self, buffer: Iterable[Segment]) -> str:
        # The last step before anything is written: whatever was printed, by whom ever, has come through here.
        shown = (one if one.control else Segment(visible(one.text), one.style) for one in buffer)
        return super()._render_buffer(shown)


def _on_one_line(text: str | Text) -> Text:
    return Text(visible(" ".join(str(text).split())), text.style if isinstance(text, Text) else "")


def plain_table(
    *names: str, right: Collection[str] = (), fold: Collection[str] = (), **options: Any
) -> Table:
    """Return a table without lines that has these columns, numbers in those at the `right`; options are rich's.

    What is too wide for one of `fold` goes on in a further line; elsewhere it is cut.
    """
    table = Table(box=None, pad_edge=False, **options)
    for name in names:
        overflow: OverflowMethod = "fold" if name in fold else "ellipsis"
        table.add_column(name, justify="right" if name in right else "left", overflow=overflow)
    return table
