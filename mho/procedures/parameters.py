"""PyMeasure's Parameters, and the object that declares some: the one place where `pymeasure.experiment` is imported.

That package imports its CSV results and its units, and with them pandas and pint, which take longer to load than everything
else here together and which procedures do not use. Its module of parameters needs neither, so it is imported past the
package's ``__init__``.
"""

from __future__ import annotations

import sys
from copy import deepcopy
from importlib import import_module
from importlib.util import find_spec, module_from_spec

PACKAGE = "pymeasure.experiment"

if PACKAGE not in sys.modules:
    spec = find_spec(PACKAGE)
    assert spec is not None
    sys.modules[PACKAGE] = module_from_spec(spec)  # not executed: only the place where its modules are found
    try:
        import_module(f"{PACKAGE}.parameters")
    finally:
        del sys.modules[PACKAGE]  # whoever imports the package itself gets all of it, with these same classes

from pymeasure.experiment.parameters import (
    BooleanParameter,
    FloatParameter,
    IntegerParameter,
    ListParameter,
    Parameter,
)

__all__ = [
    "BooleanParameter",
    "FloatParameter",
    "IntegerParameter",
    "ListParameter",
    "Parameter",
    "Parametrised",
]


class Parametrised:
    """An object whose class declares Parameters: it has their values as attributes, None for one without a default.

    They are in the order in which they are declared, those of a base class first.
    """

    def __init__(self) -> None:
        self._parameters: dict[str, Parameter] = {
            name: deepcopy(parameter)
            for kind in reversed(type(self).__mro__)
            for name, parameter in vars(kind).items()
            if isinstance(parameter, Parameter) and getattr(type(self), name, None) is parameter
        }
        for name, parameter in self._parameters.items():
            setattr(self, name, parameter.value if parameter.is_set() else None)
