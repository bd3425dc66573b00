"""What a comma in a number is: a decimal mark, or what parts thousands; told by all numbers of a table."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

COMMA, POINT = "comma", "point"
DECIMAL_MARKS = (COMMA, POINT)  # what can be said of a table's decimal mark
_SIGNED = r"[+-]?"
_DECIMAL = re.compile(_SIGNED + r"\d*,\d+(?:[eE][+-]?\d+)?")
_GROUPED = re.compile(_SIGNED + r"[1-9]\d{0,2}(?:,\d{3})+")  # a number with thousands does not begin with 0
_CERTAINLY_GROUPED = re.compile(_SIGNED + r"[1-9]\d{0,2}(?:(?:,\d{3}){2,}|(?:,\d{3})+\.\d*)")
_THOUSANDS = {
    ",": re.compile(_SIGNED + r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d*)?"),
    ".": re.compile(_SIGNED + r"[1-9]\d{0,2}(?:\.\d{3})+(?:,\d*)?"),
}
_POINTS_GROUP = re.compile(_SIGNED + r"[1-9]\d{0,2}(?:\.\d{3})+,\d*")
_POINT = re.compile(_SIGNED + r"(?:\d+\.\d*|\.\d+)(?:[eE][+-]?\d+)?")


@dataclass(frozen=True)
class DecimalMark:
    """How the numbers of a table are written."""

    comma: bool = False  # whether the decimal mark is a comma
    grouping: str = ""  # what parts thousands; empty for nothing
    # A number that could be meant in either way, where none tells; empty where it is clear
    doubtful: str = ""
    # A number that tells what the comma is; empty where none has one, and where it was said
    proof: str = field(default="", compare=False)


def is_grouped(text: str, mark: str) -> bool:
    """Return whether `mark` parts the thousands of a number, three digits each."""
    return bool(_THOUSANDS[mark].fullmatch(text))


def decimal_mark(fields: Sequence[str], by_commas: bool, said: str = "") -> DecimalMark:
    """Return how the numbers among the fields of a table are written.

    ``5,1`` and ``0,001`` have a decimal comma, ``1,234,567`` and ``5,001.2`` thousands; beside ``0.5`` the comma of
    ``5,001`` parts thousands. Where all numbers are like ``5,001``, nothing tells.

    `by_commas`: whether fields are apart by commas: a spreadsheet of such a language writes thousands so, in quotation
    marks. `said`: one of `DECIMAL_MARKS`, where the mark was said; empty where not.
    """
    with_comma = [one for one in fields if "," in one]
    if not with_comma:
        return DecimalMark(said == COMMA)
    points_group = any(map(_POINTS_GROUP.fullmatch, with_comma))
    by_mark = {COMMA: DecimalMark(True, "." if points_group else ""), POINT: DecimalMark(False, ",")}
    if said:
        return by_mark[said]
    grouped = _first(with_comma, _CERTAINLY_GROUPED.fullmatch)
    decimal = _first(with_comma, _POINTS_GROUP.fullmatch) or _first(
        with_comma, lambda one: _DECIMAL.fullmatch(one) and not _GROUPED.fullmatch(one)
    )
    either = _first(with_comma, _GROUPED.fullmatch)
    points = _first(fields, lambda one: "." in one and "," not in one and _POINT.fullmatch(one))
    if decimal and (grouped or (points and not points_group)):
        return DecimalMark()  # both are there: those that do not fit are named line by line
    if decimal:
        return replace(by_mark[COMMA], proof=decimal)
    if grouped or (either and points):
        return replace(by_mark[POINT], proof=grouped or points)
    if either:
        return DecimalMark(not by_commas, "," if by_commas else "", either)
    return DecimalMark()


def _first(fields: Sequence[str], fits: Callable[[str], object]) -> str:
    """Return the first field that fits; empty for none."""
    return next((one for one in fields if fits(one)), "")
