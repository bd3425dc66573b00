"""PyMeasure's Parameters and its Procedure: the one place where `pymeasure.experiment` is imported.

That package imports its CSV results, and with them pandas, which nobody here uses and which takes as long to import as
everything else together. Its modules of parameters and procedures need neither, so they are imported past its ``__init__``.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec, module_from_spec

PACKAGE = "pymeasure.experiment"

if PACKAGE not in sys.modules:
    spec = find_spec(PACKAGE)
    assert spec is not None
    sys.modules[PACKAGE] = module_from_spec(spec)  # not executed: only the place where its modules are found
    try:
        import_module(f"{PACKAGE}.procedure")
    finally:
        del sys.modules[PACKAGE]  # whoever imports the package itself gets all of it, with these same classes

from pymeasure.experiment.parameters import (
    BooleanParameter,
    FloatParameter,
    IntegerParameter,
    ListParameter,
    Parameter,
)
from pymeasure.experiment.procedure import Procedure as PyMeasureProcedure

__all__ = [
    "BooleanParameter",
    "FloatParameter",
    "IntegerParameter",
    "ListParameter",
    "Parameter",
    "PyMeasureProcedure",
]
