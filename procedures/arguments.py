"""A procedure from words on a command line, its parameters being the arguments: ``solve a.mtx --bits 12``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from pymeasure.experiment import BooleanParameter, FloatParameter, IntegerParameter, ListParameter
from pymeasure.experiment import Parameter as FormParameter

from mho_errors import InputError
from procedures.base import Procedure


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(f"{self.prog}: {message}")


def known_procedures() -> dict[str, type[Procedure]]:
    """Return the procedures that `procedures` offers, by their name in lower case."""
    import procedures

    offered = [getattr(procedures, name) for name in procedures.__all__]
    return {
        one.__name__.lower(): one
        for one in offered
        if isinstance(one, type) and issubclass(one, Procedure) and one is not Procedure
    }


def procedure_from_arguments(
    name: str, arguments: Sequence[str], *, seed: int | None = None, program: str = ""
) -> Procedure:
    """Make the procedure called `name`.

    A text parameter that is empty by default is positional; every other one is an option.

    Parameters
    ----------
    name : str
        As in `known_procedures`.
    arguments : sequence of str
        What follows the name on the command line.
    seed : int, optional
        For a procedure that has a parameter `seed`, unless `arguments` say another.
    program : str
        What stands before the name, for help and errors.

    Raises
    ------
    InputError
        For an unknown procedure or argument, or a value that its parameter refuses.
    """
    known = known_procedures()
    if name not in known:
        raise InputError(f"there is no procedure {name!r}; there are {', '.join(sorted(known))}")
    kind = known[name]
    form = kind().form()
    parser = _Parser(prog=f"{program} {name}".strip(), description=kind.__doc__, allow_abbrev=False)
    for key, parameter in form.items():
        _add(parser, key, parameter)
    given = {key: value for key, value in vars(parser.parse_args(arguments)).items() if value is not None}
    if seed is not None and "seed" in form:
        given.setdefault("seed", seed)
    return kind(**given)


def _add(parser: argparse.ArgumentParser, key: str, parameter: FormParameter) -> None:
    if type(parameter) is FormParameter and parameter.default == "":
        parser.add_argument(key, help=parameter.name)
        return
    option = "--" + key.replace("_", "-")
    units = getattr(parameter, "units", None)
    text = f"{parameter.name}{f', {units}' if units else ''} (default {parameter.default})".replace("%", "%%")
    if isinstance(parameter, BooleanParameter):
        parser.add_argument(option, action=argparse.BooleanOptionalAction, default=None, help=text)
    elif isinstance(parameter, ListParameter):
        parser.add_argument(option, choices=list(parameter.choices), help=text)
    else:
        kinds: dict[type, type] = {IntegerParameter: int, FloatParameter: float}
        parser.add_argument(option, type=kinds.get(type(parameter), str), help=text)
