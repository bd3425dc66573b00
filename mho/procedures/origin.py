"""Origin of a run, stored so that the run can be repeated: procedure and folder."""

from __future__ import annotations

import copyreg
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from mho.own_code import import_own, name_of, names_file, source_record
from mho.procedures.base import Procedure


def import_procedure(name: str) -> type[Procedure]:
    """Return the procedure that ``module:Class`` or ``path/file.py:Class`` names; errors as `import_own`."""
    kind = import_own(name, Procedure, "procedure")
    if names_file(name):  # no module's, by whose name another process would find the class of a pickle
        copyreg.pickle(kind, _pickled_by_file)
    return kind


def _pickled_by_file(procedure: Procedure) -> tuple[Any, ...]:
    again, (kind, *state) = procedure.__reduce__()
    return _from_file, (name_of(kind), again, *state)


def _from_file(name: str, again: Callable[..., Procedure], *state: Any) -> Procedure:
    return again(import_procedure(name), *state)


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
