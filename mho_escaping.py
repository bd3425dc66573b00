"""Text from files and instruments made harmless where it is shown: terminal, Markdown, HTML and CSV, one function each.

Whoever writes a run file chooses its texts. Escape sequences would command the terminal that shows them, markup the
browser, formulas the spreadsheet (OWASP, CSV Injection).
"""

from __future__ import annotations

import re
import unicodedata
from html import escape

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
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
    kept = "\n\t" if lines else ""
    return "".join(
        one if one.isprintable() or one in kept or unicodedata.category(one) == "Zs" else _escaped(one)
        for one in text
    )


def html(text: str) -> str:
    """Return `text` for an HTML page, also within an attribute."""
    return escape(visible(text))


def markdown(text: str) -> str:
    """Return `text` on one line of Markdown, also in a cell of a table: as text, neither markup nor HTML."""
    return _MARKDOWN.sub(r"\\\1", escape(visible(" ".join(text.split())), quote=False))


def csv_cell(value: object) -> object:
    """Return a cell for a CSV file: text that a spreadsheet would take for a formula gets an apostrophe, numbers stay."""
    if not isinstance(value, str) or not value.startswith(_FORMULA) or _is_number(value):
        return value
    return f"'{value}"


def _is_number(text: str) -> bool:
    """Return whether `text` is a number as these files have them, real or complex: a formula has other letters too."""
    if not text.isascii() or text != text.strip() or "_" in text:
        return False
    try:
        complex(text)
    except ValueError:
        return False
    return True


def _escaped(mark: str) -> str:
    return mark.encode("unicode_escape", "surrogatepass").decode("ascii")
