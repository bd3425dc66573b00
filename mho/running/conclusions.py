"""What a run concludes: as its procedure declares it, else made from its result and from how much was recorded."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mho.procedures.base import Procedure
from mho.running.failures import failure_reason
from mho.running.results import KeptResult
from mho.runs import Conclusion

MOST_QUANTITIES = 3
"""Numbers of a result in a line that no procedure declared."""

LONGEST_WORD = 40
"""Characters of a text of a result that such a line has."""


def conclusion_of(
    procedure: Procedure, plan: Any, result: object, kept: KeptResult, lengths: Mapping[str, int]
) -> Conclusion:
    """Return what a finished run concludes.

    A procedure whose own code fails here has measured all the same: the run gets a line as if it declared none, and a
    warning.

    Parameters
    ----------
    kept : KeptResult
        What the run file keeps of `result`.
    lengths : mapping
        Rows of tables, images of maps and filled arrays, see `mho.runs.RunWriter.lengths`.
    """
    try:
        declared = procedure.conclude(plan, result)
        if declared is None or isinstance(declared, Conclusion):
            return declared or undeclared(kept, lengths)
        trouble = f"it returned {type(declared).__name__}, not a Conclusion"
    except Exception as error:
        trouble = failure_reason(error)
    warning = f"{type(procedure).__name__}.conclude could not be used: {trouble}"
    made = undeclared(kept, lengths)
    return Conclusion(made.line, (warning,), made.measured)


def undeclared(kept: KeptResult, lengths: Mapping[str, int]) -> Conclusion:
    """Return the conclusion of a run whose procedure declares none: the first of its result, else what was recorded."""
    quantities = [
        f"{name} {_in_words(value)} {kept.units.get(name, '')}".rstrip()
        for name, value in kept.values.items()
        if _is_told(value)
    ]
    recorded = {name: length for name, length in lengths.items() if length}
    if quantities:
        return Conclusion(", ".join(quantities[:MOST_QUANTITIES]))
    if recorded:
        return Conclusion(", ".join(_extent(*one) for one in list(recorded.items())[:MOST_QUANTITIES]))
    return Conclusion(measured=any(isinstance(one, list | dict) and one for one in kept.values.values()))


def _is_told(value: object) -> bool:
    """Return whether a value of a result says something: a finite number, a word, yes or no."""
    if isinstance(value, int | float):
        return math.isfinite(value)
    return isinstance(value, str) and bool(value.strip())


def _in_words(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.4g}"
        case str() if len(value) > LONGEST_WORD:
            return f"{value[: LONGEST_WORD - 1]}…"
    return str(value)


def _extent(name: str, length: int) -> str:
    kind, _, own = name.rpartition("/")
    if kind == "arrays":
        return f"array {own}"
    what = "image" if kind == "maps" else "row"
    return f"{length} {what}{'s' * (length != 1)} of {own}"
