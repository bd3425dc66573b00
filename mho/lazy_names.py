"""Names of a package that are loaded when they are asked for (PEP 562), so that importing it brings nothing else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any


def lazy_names(
    package: str, homes: Mapping[str, Iterable[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the functions ``__getattr__`` and ``__dir__`` of a package.

    A type checker sees the names through imports under ``if TYPE_CHECKING:``, and the functions belong below ``else:``,
    where it sees none of them: then a name that the package does not have is an error to it.

    Parameters
    ----------
    package : str
        The package's ``__name__``.
    homes : mapping
        The names that each module has, the module named from the package: ``{".store": ("Queue", "queue_path")}``.
        No module of the package may have one of the names: once imported, it would be found in its place.
    """
    modules = {name: home for home, names in homes.items() for name in names}

    def load(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found = getattr(import_module(modules[name], package), name)
        setattr(sys.modules[package], name, found)
        return found

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *modules})

    return load, names
