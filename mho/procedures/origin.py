"""Where a run comes from, in words from which it can be asked for again: procedure, bench, folder."""

from __future__ import annotations

import importlib
import os
from contextlib import suppress
from pathlib import Path

from mho.errors import InputError
from mho.instruments.bench_file import AGREED, modules_beside
from mho.procedures.base import Procedure


def origin(procedure: Procedure) -> dict[str, str]:
    """Return what a run file keeps as its origin.

    Returns
    -------
    dict
        ``procedure`` (``module:Class``), and ``folder`` (from which relative paths among the parameters start).
    """
    kind = type(procedure)
    found = {"procedure": f"{kind.__module__}:{kind.__qualname__}"}
    with suppress(OSError):  # a folder that was removed while we are in it
        found["folder"] = os.getcwd()
    return found


def bench_key(bench: str) -> str:
    """Return a bench's one name: a packaged one's own, and the absolute path of a bench file."""
    path = Path(bench)
    return str(path.resolve()) if path.suffix and path.is_file() else bench


def import_procedure(name: str) -> type[Procedure]:
    """Return the procedure that ``module:Class`` names: one of the user's own.

    Raises
    ------
    InputError
        The module or the class is not there, or is no procedure.
    """
    module, _, attribute = name.partition(":")
    try:
        with modules_beside(Path()):  # the console script does not look there
            found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(f"there is no procedure {name!r}: {error}; write module:Class") from None
    if not (isinstance(found, type) and issubclass(found, Procedure)):
        raise InputError(f"{name} is no procedure; it must be a subclass of mho.Procedure")
    AGREED.add(name)
    return found
