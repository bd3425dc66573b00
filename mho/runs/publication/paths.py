r"""Cuts the folders off absolute paths in a text, POSIX and Windows: of a path its last part is left.

Relative paths stay, and so do addresses (``https://…``), units (``V/s``), serial ports (``/dev/ttyUSB0``) and the places
in a run file (``/entry/pulses/time``), which are nobody's folders. A share is ``\\server\folder\``: twice as many
backslashes are those of an expression in code.
"""

from __future__ import annotations

import re

PART = r"""[^\s/\\'"<>|:;,()\[\]{}]"""  # a character of a name in a path that stands among words
_START = r"(?:file://|~|[A-Za-z]:(?=[\\/]))?"
_OURS = r"(?:dev|entry)/"
_FOLDERS = re.compile(
    rf"(?<![\w./:~\\\])…-]){_START}/(?!/|{_OURS})(?:{PART}+/+)+(?=[^\s/])"
    rf"|(?<!\w)[A-Za-z]:[\\/]+(?:{PART}+[\\/]+)+"
    rf"|(?<![\w\\])\\\\(?:[\w.$-]+\\(?!\\)){{2,}}"
)
_ROOT = rf"(?:{_START}/(?!/|{_OURS})|[A-Za-z]:\\|\\\\(?=[\w.$-]+\\[\w.$ -]+\\))"
_QUOTED = re.compile(rf"(['\"]){_ROOT}[^'\"\n]*[/\\]([^'\"\n/\\]+)\1")
_WHOLE = re.compile(rf"{_ROOT}(?!.*(?:\.\w+|[,;:])\s)[^\n'\"]*[/\\]([^\n/\\'\"]+)")
"""Within quotes, and alone, a name may have blanks; what goes on behind a file or a comma is a sentence."""


def without_folders(text: str, mark: str = "") -> str:
    """Return a text in which of every absolute path only the last part is left, behind a `mark`."""
    if "/" not in text and "\\" not in text:
        return text
    if alone := _WHOLE.fullmatch(text):
        return f"{mark}{alone[1]}"
    before = ""
    while before != text:  # what is left of one path may begin another
        before, text = text, _FOLDERS.sub(mark, _QUOTED.sub(rf"\1{mark}\2\1", text))
    return text
