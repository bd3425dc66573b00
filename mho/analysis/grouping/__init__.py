"""Runs in groups: by what a run is grouped, and which runs make a group; figures, comparisons and reports ask here.

- `cards`: the cards of run files, and the files that cannot be read;
- `card_values`: names of facts, parameters and results, and what a card has of them;
- `groups`: runs in groups of equal values, and what differs within them.
"""

from mho.analysis.grouping.card_values import GROUPINGS, CardName, label_of, resolve, value_of
from mho.analysis.grouping.cards import RunCard, Skipped, read_cards
from mho.analysis.grouping.groups import Group, group_runs, varied_within

__all__ = [
    "GROUPINGS",
    "CardName",
    "Group",
    "RunCard",
    "Skipped",
    "group_runs",
    "label_of",
    "read_cards",
    "resolve",
    "value_of",
    "varied_within",
]
