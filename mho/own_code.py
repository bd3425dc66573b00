"""Code of a user's own: loaded by ``module:Class`` or ``path/file.py:Class``, with its source for a run file.

What this process may load is what its user has named or agreed to (`AGREED`).
"""

from __future__ import annotations

import hashlib
import importlib
import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from traceback import extract_tb
from types import ModuleType
from typing import Any, TypeVar

from mho.errors import InputError, MhoError

Kind = TypeVar("Kind")

SUFFIX = ".py"
OWN = re.compile(r"mho(?:\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*")

CHECKOUT = str(Path(__file__).resolve().parents[1])
"""The folder that mho is in: a checkout, or where packages are installed."""

AGREED: set[str] = set()
"""User-defined ``module:Class`` names that this process may import: the user has named or confirmed them."""


def is_mhos_own(name: str) -> bool:
    """Return whether ``module:Class`` lies within the package of mho; a look-alike of it does not, nor does ``mho.py``."""
    return OWN.fullmatch(name) is not None and not name.rpartition(":")[0].endswith(".py")


def names_file(name: str) -> bool:
    """Return whether the name of a class is ``path/file.py:Class``."""
    return name.rpartition(":")[0].endswith(SUFFIX)


def name_of(kind: type[Any]) -> str:
    """Return a name by which a class can be loaded again; for a file with its absolute path."""
    return f"{kind.__module__}:{kind.__qualname__}"


def import_own(name: str, base: type[Kind], noun: str) -> type[Kind]:
    """Return the subclass of `base` that ``module:Class`` or ``path/file.py:Class`` names.

    `noun`: what it is, for errors. Raises `InputError` when the file, the module or the class is missing, cannot be
    loaded, or is of another kind.
    """
    own = import_named(name, noun, base)
    check_kind(own, name, base, noun)
    AGREED.add(name_of(own) if names_file(name) else name)
    kind: type[Kind] = own
    return kind


def check_kind(own: Any, name: str, base: type[Any], noun: str) -> None:
    """Raise `InputError` unless `own`, called `name`, is a subclass of `base`, or has the methods of a protocol."""
    if getattr(base, "_is_protocol", False):
        methods = [one for one in vars(base) if not one.startswith("_")]
        lacking = [one for one in methods if not callable(getattr(own, one, None))]
        if isinstance(own, type) and not lacking:
            return
        raise InputError(f"{name} is no {noun}; it must be a class with the method {' and '.join(methods)}")
    if not (isinstance(own, type) and issubclass(own, base)):
        raise InputError(f"{name} is no {noun}; it must be a subclass of mho.{base.__name__}")


def import_named(name: str, noun: str, base: type[Any] = object) -> Any:
    """Return what ``module:Name`` or ``path/file.py:Name`` names, as `import_own`; its kind is the caller's to judge."""
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
    return own


def found_beside(name: str) -> str:
    """Return ``path/file.py:Class`` with the absolute path of the file, sought in the folders of `modules_beside`."""
    place, _, attribute = name.rpartition(":")
    there = [Path(folder) / place for folder in dict.fromkeys([*_beside, os.getcwd()])]
    return f"{next((path for path in there if path.is_file()), there[0]).resolve()}:{attribute}"


def source_of(kind: type[Any]) -> str:
    """Return the source of the module of a user's own class; "" for mho's own, and for one without a file."""
    if kind.__module__.partition(".")[0] == "mho" and not names_file(name_of(kind)):
        return ""
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    with suppress(OSError, UnicodeDecodeError):
        return Path(file).read_text("utf-8") if file else ""
    return ""


def source_record(what: str, kind: type[Any]) -> dict[str, str]:
    """Return of a user's own class, for a run file: name, source and its hash, by `what` it is; empty without a source."""
    source = source_of(kind)
    if not source:
        return {}
    digest = hashlib.sha256(source.encode()).hexdigest()
    return {what: name_of(kind), f"{what}_source": source, f"{what}_sha256": digest}


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
    from mho.extension_points import error_text  # packages' metadata: only where something is wrong

    last = extract_tb(error.__traceback__)[-1]
    return f"{error_text(error)} ({os.path.basename(last.filename)}, line {last.lineno})"


def _offered(module: Any, base: type[Any]) -> str:
    kinds = [
        name
        for name, one in vars(module).items()
        if isinstance(one, type) and one.__module__ == module.__name__ and _is_kind(one, base)
    ]
    return f"; there is {', '.join(kinds)}" if kinds else ""


def _is_kind(one: type[Any], base: type[Any]) -> bool:
    try:
        check_kind(one, "", base, "")
    except InputError:
        return False
    return True


def search_also(folder: str) -> None:
    """Search `folder` for ``module:Class`` from now on, after all installed packages, before a checkout of mho.

    A checkout's links, such as ``analysis``, would hide a user's own modules of these names.
    """
    house = [CHECKOUT] if CHECKOUT in sys.path and os.path.exists(f"{CHECKOUT}/pyproject.toml") else []
    for place in house:
        sys.path.remove(place)
    sys.path += [folder, *house]


@contextmanager
def modules_beside(folder: Path) -> Iterator[None]:
    """Add `folder` and the current one to the search for ``module:Class``, as `search_also`, for a while."""
    with _searching:
        place = sys.path.index(CHECKOUT) if CHECKOUT in sys.path else None
        added = [one for one in dict.fromkeys((str(folder.resolve()), os.getcwd())) if one not in sys.path]
        for one in added:
            search_also(one)
        _beside.extend(added)
        try:
            yield
        finally:
            for one in added:
                sys.path.remove(one)
                _beside.remove(one)
            if place is not None:
                sys.path.remove(CHECKOUT)
                sys.path.insert(place, CHECKOUT)


@contextmanager
def installed_only() -> Iterator[None]:
    """Take out of the search what `modules_beside` added.

    For modules of mho's own, which need nothing from there: packages that they import look for others that may be missing
    (``bottleneck``, ``cftime``), and what a folder has by such a name nobody agreed to.
    """
    with _searching:
        taken = [place for place in _beside if place in sys.path]
        for place in taken:
            sys.path.remove(place)
        try:
            yield
        finally:
            sys.path += taken


_beside: list[str] = []
# The search is the process's: a thread that takes folders out would hide those of another
_searching = threading.RLock()
