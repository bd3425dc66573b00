"""What whole numbers stand for, as the description of a column or map says: ``0 LRS, after a SET; 1 HRS, ...``."""

from __future__ import annotations

import re

LONGEST = 24
"""Characters of a name; a longer description ends at its first comma."""


def code_names(description: str) -> dict[int, str]:
    """Return the name of each code; none where a description is not made of codes and names.

    Parts are separated by ``;``, or else by commas; what stands before a colon is no part of them.
    """
    listed = description.rpartition(": ")[2]
    parts = [part.strip() for part in listed.split(";" if ";" in listed else ",")]
    found = [re.fullmatch(r"(\d{1,3}) (\D.*|\d+[a-z].*)", part) for part in parts]
    if len(parts) < 2:
        return {}
    names: dict[int, str] = {}
    for one in found:
        if one is None or int(one[1]) in names:
            return {}
        names[int(one[1])] = (
            one[2] if len(one[2]) <= LONGEST and ";" not in listed else one[2].partition(",")[0]
        )
    return names
