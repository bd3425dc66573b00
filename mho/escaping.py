"""Escapes text from files and instruments for the place where it is shown: terminal, Markdown, HTML and CSV.

The writer of a run file chooses its texts. Escape sequences would command the terminal that shows them, markup the
browser, formulas the spreadsheet (OWASP, CSV Injection).
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from html import escape

_FORMULA = "=+-@＝＋－＠"
_SEPARATORS = re.compile(r"([,;|])")
"""Separators of cells in any spreadsheet; tabs and line ends are escaped."""

_UNSEEN = "\"'\u115f\u1160\u2800\u3164\uffa0"
"""Quotes, which a reader of CSV takes off, and letters and signs that show nothing."""

_MARKDOWN = re.compile(r"([\\`*_\[\]|~])")


def visible(text: str, *, lines: bool = True) -> str:
    """Return `text` with everything that a terminal would obey rather than show as an escape: ``\\x1b``, ``\\u202e``.

    Parameters
    ----------
    lines : bool
        Keep ends of lines and tabs.
    """
    if text.isprintable():
        return text
    allowed = "\n\t" if lines else ""
    return "".join(
        one
        if one.isprintable() or one in allowed or unicodedata.category(one) == "Zs"
        else one.encode("unicode_escape", "surrogatepass").decode("ascii")
        for one in text
    )


def html(text: str) -> str:
    """Return `text` for an HTML page, also within an attribute."""
    return escape(visible(text))


def markdown(text: str) -> str:
    """Return `text` on one line of Markdown, also in a cell of a table: as text, neither markup nor HTML."""
    return _MARKDOWN.sub(r"\\\1", escape(visible(" ".join(text.split())), quote=False))


def csv_cell(value: object) -> object:
    """Return a cell for a CSV file: numbers stay, text has one line, and an apostrophe before all that could be a formula.

    A spreadsheet of another country begins a new cell at a semicolon, quoted or not, so every part of a text counts.
    """
    return _csv_text(value) if isinstance(value, str) else value


@lru_cache(maxsize=1024)  # a column says the same of thousands of rows
def _csv_text(text: str) -> str:
    if _is_number(text):
        return text
    return "".join(map(_no_formula, _SEPARATORS.split(visible(text, lines=False))))


def _no_formula(text: str) -> str:
    seen = next((place for place, mark in enumerate(text) if not _is_unseen(mark)), len(text))
    if text[seen : seen + 1] not in _FORMULA or seen == len(text) or _is_number(text.strip(" ")):
        return text
    return f"{text[:seen]}'{text[seen:]}"


def _is_unseen(mark: str) -> bool:
    return mark in _UNSEEN or unicodedata.category(mark) in ("Zs", "Mn", "Me")


def _is_number(text: str) -> bool:
    """Return whether `text` is a number as these files have them, real or complex: a formula has other letters too."""
    if not text.isascii() or text != text.strip() or "_" in text:
        return False
    try:
        complex(text)
    except ValueError:
        return False
    return True
