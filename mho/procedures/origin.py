"""Origin of a run, stored so that the run can be repeated: procedure and folder."""

from __future__ import annotations

import os
from contextlib import suppress

from mho.own_code import import_own, name_of, source_record
from mho.procedures.base import Procedure


def import_procedure(name: str) -> type[Procedure]:
    """Return the procedure that ``module:Class`` or ``path/file.py:Class`` names; errors as `import_own`."""
    return import_own(name, Procedure, "procedure")


def origin(procedure: Procedure) -> dict[str, str]:
    """Return the origin for a run file.

    Returns ``procedure`` (``module:Class``, or ``path/file.py:Class``), ``folder`` (from which relative paths among
    the parameters start), and of each of its `own_classes` the name, the source and its hash.
    """
    record = {"procedure": name_of(type(procedure))}
    for what, kind in procedure.own_classes().items():
        record |= source_record(what, kind)
    with suppress(OSError):  # the current folder was removed
        record["folder"] = os.getcwd()
    return record
