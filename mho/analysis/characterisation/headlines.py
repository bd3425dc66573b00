"""Which parameters of the standard experiments stand in the first table of a page, and by which words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mho.analysis.characterisation.extracted import Extracted

HEADLINES: dict[str, tuple[tuple[str, str], ...]] = {}


def headline(procedure: str, found: Sequence[Extracted]) -> Iterator[tuple[str, Extracted]]:
    """Yield the parameters of a run that belong into the first table, each with its words."""
    for pattern, words in HEADLINES.get(procedure, ()):
        for one in found:
            match = re.fullmatch(pattern, one.name)
            if match and one.value is not None:
                yield words.format(*match.groups()), one
