"""What a verb is asked for, argument by argument and option by option, as its manifest says it."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_origin

from typer.core import TyperArgument, TyperCommand

KINDS = {bool: "boolean", int: "integer", float: "float", Path: "path"}
"""The kind of a parameter, by its type; every other is a text."""


def describe_parameters(verb: TyperCommand) -> dict[str, dict[str, Any]]:
    """Return the facts about each argument and option of a verb, by its name; hidden ones are left out.

    A fact that says nothing is left out: without `options` it is an argument, without `required` it may be left out.
    """
    return {
        str(one.name): {key: fact for key, fact in _facts(one).items() if _says_something(fact)}
        for one in verb.params
        if not getattr(one, "hidden", False) and one.expose_value
    }


def _says_something(fact: Any) -> bool:
    return fact is not None and fact is not False and fact not in ("", [])  # a 0 does


def _facts(parameter: Any) -> dict[str, Any]:
    declared = parameter.type_descriptor
    kind = declared.annotation
    if get_origin(kind) is list:
        (kind,) = get_args(kind)
    choices = [one.value for one in kind] if isinstance(kind, type) and issubclass(kind, Enum) else []
    if not choices and (complete := declared.parameter_info.autocompletion) is not None:
        choices = list(_names(complete()))
    default = parameter.default
    is_argument = isinstance(parameter, TyperArgument)
    return {
        "kind": KINDS.get(kind, "text"),
        "help": (parameter.help or "").format(presets=", ".join(choices)),
        "options": [] if is_argument else [*parameter.opts],
        "opposite": "".join(parameter.secondary_opts[:1]),
        "default": str(default) if isinstance(default, Path) else default,
        "required": parameter.required,
        "several": parameter.nargs == -1 or bool(getattr(parameter, "multiple", False)),
        "minimum": parameter.min,
        "maximum": parameter.max,
        "choices": choices,
    }


def _names(completions: Iterable[str | tuple[str, str]]) -> Iterable[str]:
    """Yield what can be typed, without the help that some have beside it."""
    return (one if isinstance(one, str) else one[0] for one in completions)
