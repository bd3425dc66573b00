"""Takes off a page what names a person or a machine: folders of a disk, user, host, command line."""

from __future__ import annotations

from mho.runs.publication import without_folders as cut

PERSONAL = ("host", "user", "operator", "command_line", "git_diff", "git_status", "folder")
"""Facts of the provenance that are shown only where they are asked for."""


def without_folders(text: str) -> str:
    """Return a text in which of every absolute path only the last part is left: ``…/matrix.mtx``."""
    return cut(text, "…/")
