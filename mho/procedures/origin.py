"""Origin of a run, stored so that the run can be repeated: procedure and folder."""

from __future__ import annotations

import copyreg
import hashlib
import importlib
import os
import sys
from collections.abc import Callable
from contextlib import nullcontext, suppress
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from traceback import extract_tb
from types import ModuleType
from typing import Any, TypeVar

from mho.errors import InputError, MhoError
from mho.extension_points import error_text
from mho.instruments.bench_file import AGREED, installed_only, is_mhos_own, modules_beside
from mho.procedures.base import Procedure

Kind = TypeVar("Kind")

SUFFIX = ".py"


def names_file(name: str) -> bool:
    """Return whether the name of a class is ``path/file.py:Class``."""
    return name.rpartition(":")[0].endswith(SUFFIX)


def name_of(kind: type[Any]) -> str:
    """Return a name by which a class can be loaded again; for a file with its absolute path."""
    return f"{kind.__module__}:{kind.__qualname__}"


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


def import_own(name: str, base: type[Kind], noun: str) -> type[Kind]:
    """Return the subclass of `base` that ``module:Class`` or ``path/file.py:Class`` names.

    `noun`: what it is, for errors. Raises `InputError` when the file, the module or the class is missing, cannot be
    loaded, or is of another kind.
    """
    place, _, attribute = name.rpartition(":")
    module = _load_file(place, noun) if names_file(name) else _load_module(place, name, noun)
    try:
        with installed_only() if is_mhos_own(name) else nullcontext():
            own = getattr(module, attribute, None)  # which may import, too
    except MhoError:
        raise
    except (Exception, SystemExit) as error:
        raise InputError(f"{name} cannot be loaded: {_in_words(error)}") from error
    if own is None:
        raise InputError(
            f"there is no {noun} {name!r}: {place} has no class {attribute!r}{_offered(module, base)}"
        )
    if not (isinstance(own, type) and issubclass(own, base)):
        raise InputError(f"{name} is no {noun}; it must be a subclass of mho.{base.__name__}")
    AGREED.add(name_of(own) if names_file(name) else name)
    return own


def source_of(kind: type[Any]) -> str:
    """Return the source of the module of a user's own class; "" for mho's own, and for one without a file."""
    if kind.__module__.partition(".")[0] == "mho" and not names_file(name_of(kind)):
        return ""
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    with suppress(OSError, UnicodeDecodeError):
        return Path(file).read_text("utf-8") if file else ""
    return ""


def _load_module(module: str, name: str, noun: str) -> ModuleType:
    try:
        # mho's own needs nothing from the current folder, where the console script does not search for others
        with installed_only() if is_mhos_own(name) else modules_beside(Path()):
            return importlib.import_module(module)
    except MhoError:
        raise
    except (Exception, SystemExit) as error:  # importing a user's module may raise anything
        absent = isinstance(error, ModuleNotFoundError) and f"{module}.".startswith(f"{error.name}.")
        if absent or not module:
            missing = f"there is no {noun} {name!r}: {error}; write module:Class or path/file.py:Class"
            raise InputError(missing) from None
        raise InputError(f"module {module!r} cannot be loaded: {_in_words(error)}") from error


def _load_file(place: str, noun: str) -> ModuleType:
    """Return the module in a file, by its absolute path; reloaded when the file has changed."""
    path = Path(os.path.abspath(place))
    with modules_beside(path.parent):  # of two threads that want one file, the second waits for all of it
        return _loaded(path, place, noun)


def _loaded(path: Path, place: str, noun: str) -> ModuleType:
    try:
        text = path.read_bytes()
    except OSError as error:
        if path.is_symlink() and not path.exists():
            raise InputError(f"{place} is a link to {os.readlink(path)}, which is not there") from None
        raise InputError(
            f"there is no {noun} in {place}: {error.strerror}; write path/file.py:Class"
        ) from None
    known = sys.modules.get(str(path))
    if known is not None and getattr(known, "__loaded__", None) == text:
        return known
    spec = spec_from_file_location(str(path), path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    module.__dict__["__loaded__"] = text
    sys.modules[str(path)] = module  # dataclasses and pickle look for it there
    try:
        exec(compile(text, str(path), "exec"), module.__dict__)  # not by `spec.loader`, which caches by time
    except BaseException as error:
        sys.modules.pop(str(path))
        if isinstance(error, MhoError) or not isinstance(error, Exception | SystemExit):
            raise
        raise InputError(f"{place} cannot be loaded: {_in_words(error)}") from error
    return module


def _in_words(error: BaseException) -> str:
    """Return an error in words, with its line and file."""
    if isinstance(error, SyntaxError):
        file, line = error.filename or "", error.lineno
        return f"{type(error).__name__}: {error.msg} ({os.path.basename(file)}, line {line})"
    last = extract_tb(error.__traceback__)[-1]
    return f"{error_text(error)} ({os.path.basename(last.filename)}, line {last.lineno})"


def _offered(module: Any, base: type[Any]) -> str:
    kinds = [
        name
        for name, one in vars(module).items()
        if isinstance(one, type) and issubclass(one, base) and one.__module__ == module.__name__
    ]
    return f"; there is {', '.join(kinds)}" if kinds else ""


def origin(procedure: Procedure) -> dict[str, str]:
    """Return the origin for a run file.

    Returns ``procedure`` (``module:Class``, or ``path/file.py:Class``), ``folder`` (from which relative paths among
    the parameters start), and of each of its `own_classes` the name, the source and its hash.
    """
    record = {"procedure": name_of(type(procedure))}
    for what, kind in procedure.own_classes().items():
        if source := source_of(kind):
            record |= {
                what: name_of(kind),
                f"{what}_source": source,
                f"{what}_sha256": hashlib.sha256(source.encode()).hexdigest(),
            }
    with suppress(OSError):  # the current folder was removed
        record["folder"] = os.getcwd()
    return record
