"""A procedure from words on a command line, its parameters being the arguments: ``solve a.mtx --bits 12``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from mho.errors import InputError
from mho.procedures.base import Procedure
from mho.procedures.catalogue import (
    find_procedure,
    is_required,
    known_procedures,
    make_procedure,
    nearest,
    plain_value,
)
from mho.procedures.parameters import BooleanParameter, ListParameter, Parameter
from mho.runs.units import converted

__all__ = ["known_procedures", "parameters_from_arguments", "procedure_from_arguments"]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(f"{self.prog}: {message}")


def procedure_from_arguments(
    name: str,
    arguments: Sequence[str],
    *,
    seed: int | None = None,
    program: str = "",
    beside: Sequence[str] = (),
) -> Procedure:
    """Make the procedure called `name`.

    Parameters
    ----------
    name : str
        As `mho.procedures.catalogue.find_procedure` takes it.
    arguments : sequence of str
        What follows the name on the command line.
    seed : int, optional
        For a procedure that has a parameter `seed`, unless `arguments` say another.
    program : str
        What stands before the name, for help and errors.
    beside : sequence of str
        Options of `program` itself, for help and errors.

    Raises
    ------
    InputError
        For an unknown procedure or argument, or a value that its parameter refuses.
    """
    values = parameters_from_arguments(name, arguments, seed=seed, program=program, beside=beside)
    return make_procedure(name, values)


def parameters_from_arguments(
    name: str,
    arguments: Sequence[str],
    *,
    seed: int | None = None,
    program: str = "",
    beside: Sequence[str] = (),
    partial: bool = False,
) -> dict[str, Any]:
    """Return the parameters that the arguments set, by name, as `make_procedure` takes them.

    A text parameter that is empty by default is positional; every other one is an option. The parameters are
    as for `procedure_from_arguments`; with `partial` a positional one may be left out too.

    Raises
    ------
    InputError
        As `procedure_from_arguments`, but for values out of their parameter's range.
    """
    kind = find_procedure(name)
    form = kind().form()
    parser = _Parser(
        prog=f"{program} {name}".strip(),
        description=kind.__doc__,
        epilog=f"{program} itself takes {', '.join(beside)}." if beside else None,
        allow_abbrev=False,
    )
    for key, parameter in form.items():
        _add(parser, key, parameter, partial)
    understood, rest = parser.parse_known_args(arguments)
    if rest:
        own = ("--" + key.replace("_", "-") for key, one in form.items() if not is_required(one))
        options = dict.fromkeys((*own, *beside))
        meant = nearest(rest[0], options)
        if any(converted(1.0, rest[0], unit) is not None for unit in _units(form)):
            meant = f"a number and its unit are one word: 200{rest[0]}"
        raise InputError(f"{parser.prog} has no argument {rest[0]!r}; {meant}")
    words = {key: value for key, value in vars(understood).items() if value is not None}
    given = {key: plain_value(key, form[key], value) for key, value in words.items()}
    if seed is not None and "seed" in form:
        given.setdefault("seed", seed)
    return given


def _units(form: Mapping[str, Parameter]) -> set[str]:
    return {unit for one in form.values() if (unit := getattr(one, "units", None))}


def _add(parser: argparse.ArgumentParser, key: str, parameter: Parameter, partial: bool) -> None:
    if is_required(parameter):
        parser.add_argument(key, nargs="?" if partial else None, help=parameter.name)
        return
    option = "--" + key.replace("_", "-")
    units = getattr(parameter, "units", None)
    default = "" if parameter.default is None else f" (default {parameter.default})"
    text = f"{parameter.name}{f', {units}' if units else ''}{default}".replace("%", "%%")
    if isinstance(parameter, BooleanParameter):
        parser.add_argument(option, action=argparse.BooleanOptionalAction, default=None, help=text)
    elif isinstance(parameter, ListParameter):
        parser.add_argument(option, choices=list(parameter.choices), help=text)
    else:
        parser.add_argument(option, help=text)
