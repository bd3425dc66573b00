"""Finds a procedure by its name, as run files and plans have it."""

from __future__ import annotations

import copyreg
from collections.abc import Callable
from typing import Any

from mho.own_code import import_own, name_of, names_file
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
