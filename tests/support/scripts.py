"""Loads a script of docs/ as a module."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

from repository import ROOT


def load_script(name: str) -> ModuleType:
    """Return ``docs/NAME.py`` as a module; what it adds to the search path is taken off again."""
    specification = importlib.util.spec_from_file_location(name, ROOT / f"docs/{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    before = list(sys.path)
    sys.modules[name] = module  # where a dataclass looks for its module
    specification.loader.exec_module(module)
    sys.path[:] = before
    return module
