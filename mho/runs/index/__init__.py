"""The index of a folder of run files: search, links, tags and notes; and the card of a run, which it is built from.

The names are loaded when they are asked for (PEP 562): who reads a card needs no SQLite.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.runs.index.card import (
        SOURCES,
        UNREADABLE,
        Card,
        CardName,
        ResultQuantity,
        find_name,
        plain_results,
        read_card,
    )
    from mho.runs.index.index import NEWEST_FIRST, IndexedRun, Links, RunIndex
    from mho.runs.index.parquet import write_parquet
    from mho.runs.index.query import condition, labelled
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = [
    "NEWEST_FIRST", "SOURCES", "UNREADABLE", "Card", "CardName", "IndexedRun", "Links", "ResultQuantity", "RunIndex",
    "condition", "find_name", "labelled", "plain_results", "read_card", "write_parquet",
]  # fmt: skip
