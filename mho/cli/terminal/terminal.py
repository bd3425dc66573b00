"""The terminal that mho prints to: it shows what a text holds, and obeys none of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from rich.console import Console, OverflowMethod
from rich.segment import Segment
from rich.table import Table

from mho.escaping import visible

WIDE = 300  # characters: of a line in a pipe or a file, where rich would take 80


class Terminal(Console):
    """A console on which a text from a file is only ever text: no escape sequence, no markup of rich, no emoji code.

    What is styled is styled by `rich.text.Text` or `style`. Parameters are rich's. Where sentences are not wrapped
    (`soft_wrap`) and no terminal says how wide it is, tables are not cut either.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"markup": False, "emoji": False, "highlight": False, **options})
        if self.soft_wrap and not self.is_terminal and not {"width", "COLUMNS"} & {*options, *self._environ}:
            self.width = WIDE

    def _render_buffer(self, buffer: Iterable[Segment]) -> str:
        # The last step before anything is written: whatever was printed, by whom ever, has come through here.
        shown = (one if one.control else Segment(visible(one.text), one.style) for one in buffer)
        return super()._render_buffer(shown)


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
