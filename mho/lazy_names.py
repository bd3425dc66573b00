"""Names of a package that are loaded when they are asked for (PEP 562), so that importing it brings nothing else."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.machinery import ModuleSpec
from typing import Any

_SEEN_BY_CHECKERS = re.compile(r"^if TYPE_CHECKING:\n((?:[ \t].*\n|\n)+)", re.MULTILINE)
_IMPORT = re.compile(r"^ +from (\S+) import (\([^)]*\)|.+)", re.MULTILINE)


def lazy_names(spec: ModuleSpec) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the functions ``__getattr__`` and ``__dir__`` of a package.

    The names are those that the package imports under ``if TYPE_CHECKING:``, where a type checker sees them; they are
    read there, so that they are listed once. The functions belong below ``else:``, where it sees none of them: then a
    name that the package does not have is an error to it.

    Parameters
    ----------
    spec : ModuleSpec
        The package's ``__spec__``. No module of the package may have one of the names: once imported, it would be found
        in its place.
    """
    package = spec.name
    block = _SEEN_BY_CHECKERS.search(spec.loader.get_source(package))  # type: ignore[union-attr]
    modules = {
        name.strip(): home
        for home, names in _IMPORT.findall(block[1] if block else "")
        for name in names.strip("()\n ").rstrip(",").split(",")
    }

    def load(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(modules[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *modules})

    return load, names
