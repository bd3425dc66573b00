"""Origin of a run, stored so that the run can be repeated: procedure, bench, folder."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from mho.procedures.base import Procedure
from mho.procedures.own_code import name_of


def origin(procedure: Procedure) -> dict[str, str]:
    """Return the origin for a run file.

    Returns
    -------
    dict
        ``procedure`` (``module:Class``, or ``path/file.py:Class``), and ``folder`` (from which relative paths among the
        parameters start).
    """
    found = {"procedure": name_of(type(procedure))}
    with suppress(OSError):  # the current folder was removed
        found["folder"] = os.getcwd()
    return found


def bench_key(bench: str) -> str:
    """Return a bench's unique name: that of a packaged bench, or the absolute path of a bench file."""
    path = Path(bench)
    return str(path.resolve()) if path.suffix and path.is_file() else bench
