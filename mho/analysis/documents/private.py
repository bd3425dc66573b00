"""Takes off a page what names a person or a machine: folders of a disk, user, host, command line."""

from __future__ import annotations

import re

PERSONAL = ("host", "user", "command_line", "git_diff", "git_status", "folder")
"""Facts of the provenance that are shown only where they are asked for."""

_FOLDERS = re.compile(
    r"(?<![\w./:~…-])(?:file://|~|[A-Za-z]:(?=[\\/]))?(?:/(?!/)[^\s/'\"<>|:,;()]+)*/(?=[^\s/])"
    r"|(?<![\w])(?:[A-Za-z]:|\\)\\(?:[^\\\s'\"<>|:,;]+\\)+"
)
"""The folders of an absolute path, POSIX or Windows, up to its last part."""

_QUOTED = re.compile(r"(['\"])(?:file://|~|[A-Za-z]:)?[/\\][^'\"\n]*[/\\]([^'\"\n/\\]+)\1")
_WHOLE = re.compile(r"(?:file://|~|[A-Za-z]:)?[/\\][^\n'\"]*[/\\]([^\n/\\'\"]+)")
"""Absolute paths within quotes, and alone: there a name may have blanks."""


def without_folders(text: str) -> str:
    """Return a text in which of every absolute path only the last part is left: ``…/matrix.mtx``."""
    if "/" not in text and "\\" not in text:
        return text
    if alone := _WHOLE.fullmatch(text):
        return f"…/{alone.group(1)}"
    return _FOLDERS.sub("…/", _QUOTED.sub(r"\1…/\2\1", text))
