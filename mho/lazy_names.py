"""What is loaded late: names of a package when they are asked for (PEP 562), and modules when they are first used."""

from __future__ import annotations

import os
import re
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ExtensionFileLoader, ModuleSpec, PathFinder
from importlib.util import LazyLoader, find_spec, module_from_spec
from types import FrameType, MappingProxyType, ModuleType
from typing import Any

_SEEN_BY_CHECKERS = re.compile(r"^if TYPE_CHECKING:\n((?:[ \t].*\n|\n)+)", re.MULTILINE)
_IMPORT = re.compile(r"^ +from (\S+) import (\([^)]*\)|.+)", re.MULTILINE)


# Threads import one after the other: Python ends an import that meets another half done in a circle, as in NumPy, with
# an error, and NumPy cannot be imported again after it.
_loading = threading.RLock()


def _is_importing() -> bool:
    """Return whether this thread is within an import: it holds a module's lock, and must not wait for another thread."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None


def lazy_names(
    spec: ModuleSpec, former: Mapping[str, str] = MappingProxyType({})
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the functions ``__getattr__`` and ``__dir__`` of a package.

    The names are those that the package imports under ``if TYPE_CHECKING:``, where a type checker sees them; they are
    read there, so that they are listed once. The functions belong below ``else:``, where it sees none of them: then a
    name that the package does not have is an error to it. ``dir`` lists what the package exports, and nothing else.

    Parameters
    ----------
    spec : ModuleSpec
        The package's ``__spec__``. No module of the package may have one of the names: once imported, it would be found
        in its place. A module of an extension may: `short_name`.
    former : mapping of str to str
        Names of an earlier release that still work, with a `DeprecationWarning`, and what each is called today.
    """
    package = spec.name
    block = _SEEN_BY_CHECKERS.search(spec.loader.get_source(package))  # type: ignore[union-attr]
    modules = {
        name.strip(): home
        for home, names in _IMPORT.findall(block[1] if block else "")
        for name in names.strip("()\n ").rstrip(",").split(",")
    }

    def load(name: str) -> Any:
        if name == "__version__" and package == TOP:
            return _version(package)
        if name in former:
            warnings.warn(
                f"{package}.{name} is now {package}.{former[name]}", DeprecationWarning, stacklevel=2
            )
            return getattr(sys.modules[package], former[name])
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value: Any
        with nullcontext() if _is_importing() else _loading:
            if is_extension(name):
                try:
                    value = _extension(f"{modules[name]}.{name}")
                except ModuleNotFoundError as error:
                    raise AttributeError(f"module {package!r} has no attribute {name!r}: {error}") from error
            elif modules[name] == package:  # a module of its own
                value = import_module(f"{package}.{name}")
            else:
                value = getattr(import_module(modules[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        room = vars(sys.modules[package])
        return sorted(
            one
            for one in room.get("__all__", modules)
            if not is_extension(one) or _is_there(f"{modules[one]}.{one}")
        )

    def is_extension(name: str) -> bool:
        return package == TOP and modules.get(name, "").startswith(EXTENSIONS)

    return load, names


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version  # as slow as all the rest of `import mho`

    try:
        return version(package)
    except PackageNotFoundError:  # a folder of sources on the path
        return "unknown"


TOP = "mho"
EXTENSIONS = "mho.extensions"
"""What `mho` itself imports from there are modules, which may have been taken out."""


def _is_there(module: str) -> bool:
    top, *rooms = module.split(".")
    places = (os.path.join(place, *rooms) for place in sys.modules[top].__path__)
    return any(os.path.exists(f"{place}{end}") for place in places for end in (".py", f"{os.sep}__init__.py"))


def _extension(module: str) -> ModuleType:
    if not _is_there(module):
        raise ModuleNotFoundError(f"the extension {module} has been taken out of this mho", name=module)
    return import_module(module)


def short_name(module: str, extension: str) -> None:
    """Let a module of `mho` that is being imported be a module of an extension: one under two names."""
    sys.modules[module] = _extension(extension)


def compiled_alone(package: str, module: str, names: Sequence[str], public: str) -> tuple[Any, ...]:
    """Return functions of a compiled module of a package, which is not run for them: SciPy's take as long as NumPy.

    The three that a first solve needs take 30 ms of processor time, `scipy.linalg` and `scipy.special` 290 to 440.

    Parameters
    ----------
    package, module : str
        ``scipy.linalg`` and ``_fblas``. A later import of the package finds the module loaded, with the same functions.
    names : sequence of str
        The functions.
    public : str
        The module from which they are taken where the package is loaded already, or has no such module.
    """
    name = f"{package}.{module}"
    if package not in sys.modules and name not in sys.modules:
        home = find_spec(package)
        spec = PathFinder.find_spec(name, home.submodule_search_locations) if home is not None else None
        if spec is not None and isinstance(spec.loader, ExtensionFileLoader):
            sys.modules[name] = module_from_spec(spec)
            spec.loader.exec_module(sys.modules[name])
    found = sys.modules.get(name)
    if not all(hasattr(found, one) for one in names):
        found = import_module(public)
    return tuple(getattr(found, one) for one in names)


@contextmanager
def late_imports() -> Iterator[None]:
    """Let modules of mho that are imported in the block be executed when a name of theirs is first used.

    So the help of a command does not load what carries it out. The block has ``from mho.room import module`` only; names
    are used as ``module.name``. It is for commands, whose first use is in the main thread.
    """
    finder = _LateFinder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _LateFinder(MetaPathFinder):
    """Finds modules as the other finders do, to be executed late."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not name.startswith("mho."):
            return None
        others = (one for one in sys.meta_path if one is not self)
        spec = next((candidate for one in others if (candidate := one.find_spec(name, path, target))), None)
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader)
        return spec
