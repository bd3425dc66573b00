"""Fonts in a PDF: only the letters that it has, without what tells a word processor how to join them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

UNUSED = ("GSUB", "GPOS", "GDEF", "kern")
"""Tables of ligatures and kerning: a PDF has a place for every letter already. They take two thirds of the time that it
takes to cut a font down, 0.1 s, and a figure has three."""


@contextmanager
def embedded_fonts() -> Iterator[None]:
    """Have Matplotlib embed fonts without unused tables, as long as the context lasts."""
    from fontTools import subset  # Matplotlib's own way to embed TrueType fonts

    class Options(subset.Options):  # type: ignore[misc]
        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            self.drop_tables: list[str] = [*self.drop_tables, *UNUSED]

    usual, subset.Options = subset.Options, Options
    try:
        yield
    finally:
        subset.Options = usual
