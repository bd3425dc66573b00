"""Origin of a run, stored so that the run can be repeated: procedure and folder."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress

from mho.procedures.base import Procedure
from mho.procedures.own_code import name_of, source_of


def origin(procedure: Procedure) -> dict[str, str]:
    """Return the origin for a run file.

    Returns
    -------
    dict
        ``procedure`` (``module:Class``, or ``path/file.py:Class``), ``folder`` (from which relative paths among the
        parameters start), and of each of its `own_classes` the name, the source and its hash.
    """
    found = {"procedure": name_of(type(procedure))}
    for what, kind in procedure.own_classes().items():
        if source := source_of(kind):
            found |= {
                what: name_of(kind),
                f"{what}_source": source,
                f"{what}_sha256": hashlib.sha256(source.encode()).hexdigest(),
            }
    with suppress(OSError):  # the current folder was removed
        found["folder"] = os.getcwd()
    return found
