"""Parameters that a class declares: PyMeasure's, typed; only this module imports `pymeasure.experiment`.

That package imports pandas and pint for its CSV results and units. They load more slowly than everything else here
together, and procedures do not use them. Its module of parameters needs neither, so it is imported without running the
package's ``__init__``.

A type checker sees a declared parameter as what its value is: ``cycles = IntegerParameter("Cycles", default=3)`` is an
`int` of an object, and the parameter itself of its class. One without a default is ``int | None``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from copy import copy, deepcopy
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from typing import TYPE_CHECKING, Any, Generic, Self, TypedDict, TypeVar, Unpack, overload

from mho.extension_points import find_offer

PACKAGE = "pymeasure.experiment"

if TYPE_CHECKING:
    from pymeasure.experiment import parameters as theirs
    from pymeasure.experiment.parameters import BooleanParameter as TheirBoolean
    from pymeasure.experiment.parameters import FloatParameter as TheirFloat
    from pymeasure.experiment.parameters import IntegerParameter as TheirInteger
    from pymeasure.experiment.parameters import ListParameter as TheirList
    from pymeasure.experiment.parameters import Parameter as TheirParameter
    from typing_extensions import TypeVar as TypeVarWithDefault

    Value = TypeVarWithDefault("Value", default=Any)
else:
    Value = TypeVar("Value")
    if alone := PACKAGE not in sys.modules:
        spec = find_spec(PACKAGE)
        assert spec is not None
        # Not executed: it only provides the path of its modules.
        sys.modules[PACKAGE] = module_from_spec(spec)
    try:
        theirs = import_module(f"{PACKAGE}.parameters")
    finally:
        if alone:
            del sys.modules[PACKAGE]  # a later import of the package loads all of it, with the same classes
    TheirParameter, TheirList = theirs.Parameter, theirs.ListParameter  # ours are called as theirs
    TheirInteger, TheirFloat = theirs.IntegerParameter, theirs.FloatParameter
    TheirBoolean = theirs.BooleanParameter

__all__ = [
    "BooleanParameter", "FloatParameter", "IntegerParameter", "ListParameter", "OwnCodeParameter", "Parameter",
    "code_noun", "own_parameters", "theirs",
]  # fmt: skip

One = TypeVar("One")


class FormOptions(TypedDict, total=False):
    """Further arguments of every parameter, which are for forms; as PyMeasure has them."""

    ui_class: Any  # Qt class of its input
    # group_by, group_condition: other parameters, and their values at which this one is shown
    group_by: str | Sequence[str] | Mapping[str, Any] | None
    group_condition: Any
    description: str | None


class Parameter(TheirParameter, Generic[Value]):
    """A parameter of any kind of value: text, path, array.

    Parameters
    ----------
    name : str
        Label in forms and run files.
    default : optional
        Without one the value is None until it is given.
    **form
        ``ui_class``, ``group_by``, ``group_condition`` and ``description``, as PyMeasure has them.

    Examples
    --------
    >>> class Look(mho.Procedure):
    ...     note = mho.Parameter("Note", default="none")
    >>> Look().note, Look(note="after the bake").note
    ('none', 'after the bake')
    """

    @overload
    def __init__(
        self: Parameter[Any], name: str, default: None = None, **form: Unpack[FormOptions]
    ) -> None: ...
    @overload
    def __init__(self, name: str, default: Value, **form: Unpack[FormOptions]) -> None: ...
    def __init__(self, name: str, default: Any = None, **form: Unpack[FormOptions]) -> None:
        TheirParameter.__init__(self, name, default, **form)

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type | None = None) -> Value: ...
    def __get__(self, instance: object, owner: type | None = None) -> Any:
        if instance is None:
            return self
        return self.value if self.is_set() else None  # of an object that has no value of its own

    if TYPE_CHECKING:  # a procedure checks what is set itself, as it does for PyMeasure's own parameters

        def __set__(self, instance: object, value: Value) -> None: ...


class IntegerParameter(Parameter[Value], TheirInteger):
    """A whole number.

    Parameters
    ----------
    name : str
        Label in forms and run files.
    units : str, optional
    minimum, maximum : int, optional
        Allowed range, both included.
    step : int, optional
        Step of its input in a form.
    default : int, optional
        Without one the value is None until it is given.
    **form
        As of `Parameter`.

    Examples
    --------
    >>> class Endure(mho.Procedure):
    ...     cycles = mho.IntegerParameter("Cycles", default=1000, minimum=1)
    >>> len(range(Endure(cycles=3).cycles))
    3
    """

    @overload
    def __init__(
        self: IntegerParameter[int | None], name: str, units: str | None = None, minimum: float = ...,
        maximum: float = ..., step: int | None = None, *, default: None = None, **form: Unpack[FormOptions],
    ) -> None: ...  # fmt: skip
    @overload
    def __init__(
        self: IntegerParameter[int], name: str, units: str | None = None, minimum: float = ...,
        maximum: float = ..., step: int | None = None, *, default: int, **form: Unpack[FormOptions],
    ) -> None: ...  # fmt: skip
    def __init__(
        self, name: str, units: str | None = None, minimum: float = -1e9, maximum: float = 1e9,
        step: int | None = None, *, default: int | None = None, **form: Unpack[FormOptions],
    ) -> None:  # fmt: skip
        TheirInteger.__init__(self, name, units, minimum, maximum, step, default=default, **form)


class FloatParameter(Parameter[Value], TheirFloat):
    """A number.

    Parameters
    ----------
    name : str
        Label in forms and run files.
    units : str, optional
        A text is converted to them: ``"200mV"``.
    minimum, maximum : float, optional
        Allowed range, both included.
    decimals : int, optional
        Decimals, and `step` the step, of its input in a form.
    default : float, optional
        Without one the value is None until it is given.
    **form
        As of `Parameter`.

    Examples
    --------
    >>> class Stress(mho.Procedure):
    ...     gate = mho.FloatParameter("Word line", units="V", default=1.6, minimum=0.0, maximum=3.0)
    >>> Stress(gate=2).gate
    2.0
    """

    @overload
    def __init__(
        self: FloatParameter[float | None], name: str, units: str | None = None, minimum: float = ...,
        maximum: float = ..., decimals: int = 15, step: float | None = None, *, default: None = None,
        **form: Unpack[FormOptions],
    ) -> None: ...  # fmt: skip
    @overload
    def __init__(
        self: FloatParameter[float], name: str, units: str | None = None, minimum: float = ...,
        maximum: float = ..., decimals: int = 15, step: float | None = None, *, default: float,
        **form: Unpack[FormOptions],
    ) -> None: ...  # fmt: skip
    def __init__(
        self, name: str, units: str | None = None, minimum: float = -1e9, maximum: float = 1e9,
        decimals: int = 15, step: float | None = None, *, default: float | None = None,
        **form: Unpack[FormOptions],
    ) -> None:  # fmt: skip
        TheirFloat.__init__(self, name, units, minimum, maximum, decimals, step, default=default, **form)


class BooleanParameter(Parameter[Value], TheirBoolean):
    """Yes or no; arguments as of `Parameter`.

    Examples
    --------
    >>> class Stress(mho.Procedure):
    ...     verify = mho.BooleanParameter("Read after each pulse", default=True)
    >>> Stress(verify=False).verify
    False
    """

    @overload
    def __init__(
        self: BooleanParameter[bool | None], name: str, default: None = None, **form: Unpack[FormOptions]
    ) -> None: ...
    @overload
    def __init__(
        self: BooleanParameter[bool], name: str, default: bool, **form: Unpack[FormOptions]
    ) -> None: ...
    def __init__(self, name: str, default: bool | None = None, **form: Unpack[FormOptions]) -> None:
        TheirBoolean.__init__(self, name, default, **form)


class ListParameter(Parameter[Value], TheirList):
    """One of some choices.

    Parameters
    ----------
    name : str
        Label in forms and run files.
    choices : sequence
        Values that differ as text.
    units : str, optional
    default : optional
        One of the choices; without it the value is None until it is given.
    **form
        As of `Parameter`.

    Examples
    --------
    >>> class Stress(mho.Procedure):
    ...     line = mho.ListParameter("Line", choices=["bit line", "source line"], default="bit line")
    >>> Stress().line
    'bit line'
    """

    @overload
    def __init__(
        self: ListParameter[One | None], name: str, choices: Iterable[One], units: str | None = None, *,
        default: None = None, **form: Unpack[FormOptions],
    ) -> None: ...  # fmt: skip
    @overload
    def __init__(
        self: ListParameter[One], name: str, choices: Iterable[One], units: str | None = None, *, default: One,
        **form: Unpack[FormOptions],
    ) -> None: ...  # fmt: skip
    def __init__(
        self, name: str, choices: Iterable[Any] | None = None, units: str | None = None, *,
        default: Any = None, **form: Unpack[FormOptions],
    ) -> None:  # fmt: skip
        TheirList.__init__(self, name, choices, units, default=default, **form)


class OwnCodeParameter(Parameter[Any], TheirList):
    """One of the `choices`, or a class of one's own: itself, ``module:Class``, ``path/file.py:Class`` or an entry point.

    `noun`: what it is: "refinement"; entry points are of the group ``mho.refinements``.
    """

    def __init__(
        self,
        name: str,
        noun: str,
        choices: Iterable[str],
        *,
        default: str | None = None,
        **form: Unpack[FormOptions],
    ) -> None:
        TheirList.__init__(self, name, choices, default=default, **form)
        self.noun = noun

    def convert(self, value: Any) -> Any:
        """Return a class and its name as they are, and what is neither as a choice."""
        if isinstance(value, type) or (isinstance(value, str) and self._names_code(value)):
            return value
        return super().convert(value)

    def _names_code(self, value: str) -> bool:
        return ":" in value or (
            value not in map(str, self.choices)
            and find_offer(f"mho.{self.noun}s", self.noun, value) is not None
        )


def code_noun(parameter: Parameter) -> str:
    """Return what a parameter may name beside its choices: "refinement"; "" for one that names no code."""
    return str(getattr(parameter, "noun", ""))


def _own(declared: Any) -> Any:
    """Return a Parameter of one's own: of what it holds only the value can change, and may be a list."""
    own = copy(declared)
    own._value, own.default = deepcopy((declared._value, declared.default))
    return own


def own_parameters(kind: type) -> dict[str, Parameter]:
    """Return Parameters of one's own of those that a class declares, in that order, those of a base class first.

    They are mho's or PyMeasure's own.
    """
    return {
        name: _own(declared)
        for base in reversed(kind.__mro__)
        for name, declared in vars(base).items()
        if isinstance(declared, theirs.Parameter) and getattr(kind, name) is declared
    }
