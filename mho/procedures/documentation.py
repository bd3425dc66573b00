"""Signature and docstring of a procedure, made of its parameters when they are asked for.

So ``mho.Solve(b<Tab>`` offers `bits`, and ``help(mho.Solve)`` says what each parameter is, of a user's own procedure too;
importing one costs no more.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from mho.procedures.parameters import own_parameters, theirs

UNBOUNDED = 1e9  # PyMeasure's limit of a number that was given none
HEADING = "Parameters\n----------\n"
TYPES = (
    (theirs.IntegerParameter, int), (theirs.FloatParameter, float), (theirs.BooleanParameter, bool),
)  # fmt: skip


class ParameterSignature:
    """Gives a class its `__signature__`: keyword arguments with default and type, unless its `__init__` is its own."""

    def __get__(self, instance: object, owner: Any) -> inspect.Signature:
        home: Any = next(base for base in owner.__mro__ if vars(base).get("__signature__") is self)
        if owner.__init__ is not home.__init__:
            raise AttributeError("__signature__")  # then Python asks `__init__`
        return inspect.Signature(
            [
                inspect.Parameter(
                    name, inspect.Parameter.KEYWORD_ONLY, default=one.default, annotation=_annotation(one)
                )
                for name, one in own_parameters(owner).items()
            ]
        )


class ParameterDocstring:
    """Gives a class its `__doc__`: a `text`, and a section of its parameters unless the text has one.

    A class without a docstring has the section only; one without parameters, too, inherits it.
    """

    def __init__(self, text: str | None) -> None:
        self.text = text

    def __get__(self, instance: object, owner: type) -> str | None:
        text = inspect.cleandoc(self.text or "")
        section = "\n".join(line for entry in own_parameters(owner).items() for line in _lines(*entry))
        if not section or HEADING in text:
            return text or None
        return f"{text}\n\n{HEADING}{section}\n".lstrip()


def _type(parameter: Any) -> type | None:
    choices = getattr(parameter, "choices", None)
    if choices:
        return type(choices[0])
    return next((kind for declared, kind in TYPES if isinstance(parameter, declared)), None)


def _annotation(parameter: Any) -> Any:
    kind = _type(parameter)
    if kind is None:
        return inspect.Parameter.empty  # a text, path or array
    return kind if parameter.default is not None else kind | None


def _lines(name: str, parameter: Any) -> Iterator[str]:
    """Give the entry of a parameter in a section, as numpydoc has it."""
    choices, kind = getattr(parameter, "choices", None), _type(parameter)
    words = "{" + ", ".join(map(repr, choices)) + "}" if choices else "" if kind is None else kind.__name__
    default = "optional" if parameter.default is None else f"default {parameter.default!r}"
    facts = ", ".join(filter(None, (words, default if parameter.default != "" else "")))
    yield f"{name} : {facts}" if facts else name
    units = getattr(parameter, "units", None)
    limits = getattr(parameter, "minimum", -UNBOUNDED), getattr(parameter, "maximum", UNBOUNDED)
    texts = (
        f"at least {limits[0]:g}" * (limits[0] > -UNBOUNDED), f"at most {limits[1]:g}" * (limits[1] < UNBOUNDED)
    )  # fmt: skip
    bounds = ", ".join(filter(None, texts))
    yield f"    {parameter.name}{f', {units}' if units else ''}{f'; {bounds}' if bounds else ''}."
