"""A verb that is given a procedure: the procedure's Parameters are options of its own, beside those of the verb.

So help, completion and errors are one parser's: ``mho run read --rows 0:8 --bench lab.toml``.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from contextlib import nullcontext, redirect_stdout
from copy import copy
from io import StringIO
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperArgument, TyperCommand, TyperOption
from typer.main import get_command

from mho.cli import completion
from mho.cli.options import LABELS, is_typed
from mho.errors import InputError, MhoError
from mho.procedures.manifest import ParameterEntry, entry_of

MARK = "procedure_"
"""Before the name of a procedure's parameter, which may be that of an option of the verb."""
LENIENT = {"allow_extra_args": True, "ignore_unknown_options": True}
GIVEN = "mho.cli.given"
"""Key of a context under which the typed parameters of the procedure are stored, by name."""


HELP = {"--help", "-h"}
"""Words after which a verb only prints its help."""


class Verb(TyperCommand):
    """A verb whose help has lists that are long to load."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Put lists into the help that are long to load."""
        for one in self.params:
            if isinstance(one, TyperOption) and one.help and "{presets}" in one.help:
                one.help = one.help.format(presets=", ".join(completion.presets()))
        super().format_help(ctx, formatter)


class ProcedureCommand(Verb):
    """A verb whose argument `procedure` says which options it has more.

    Attributes
    ----------
    procedure : str
        The name that was given, once it was; empty before.
    partial : bool
        Whether what a procedure cannot do without may be left out.
    plans : bool
        Whether a plan may stand in place of a procedure. It says itself what its runs are: nothing is understood beside it.
    """

    procedure = ""
    partial = False
    plans = False

    def procedure_of(self, given: Mapping[str, Any]) -> str:
        """Return the procedure that the verb's own arguments name; empty for none."""
        return str(given.get("procedure") or "")

    def before_loading(self, parent: Any) -> None:
        """Do what must be done before the procedures are imported, which are large."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Understand the verb's own words first, then all of them with the options of the procedure they name."""
        given = super().make_context(info_name, list(args), parent, **LENIENT, resilient_parsing=True).params
        completing = extra.get("resilient_parsing", False)
        name = self._named(given, completing)
        if self.plans and name.endswith(".toml"):
            return super().make_context(info_name, args, parent, **LENIENT | extra)
        if not name or name.startswith("-"):
            return super().make_context(info_name, args, parent, **extra)
        if not completing and not HELP & set(args):
            self.before_loading(parent)
        words = [str(given[one.name]) for one in self.params if isinstance(one, TyperArgument)]
        whole, title = self._with_options_of(name, completing), " ".join([info_name or "", *words])
        return super(ProcedureCommand, whole).make_context(
            title, args, parent, **{"allow_extra_args": True} | extra
        )

    def _named(self, given: Mapping[str, Any], completing: bool) -> str:
        try:
            return self.procedure_of(given)
        except MhoError:
            if completing:  # no errors are shown while the user is typing
                return ""
            raise

    def _with_options_of(self, name: str, completing: bool) -> ProcedureCommand:
        """Return this verb with the options of a procedure, or without them where the procedure cannot be loaded."""
        from rich.markup import escape  # brackets in a text of the user's own are no markup

        try:
            # A user's own module may print while it is imported; a shell would take that for something to offer.
            with redirect_stdout(StringIO()) if completing else nullcontext():
                entry = entry_of(name)
        except Exception:
            if completing:
                return self
            raise
        whole = copy(self)
        whole.procedure = name
        arguments = [_hidden(one) for one in self.params if isinstance(one, TyperArgument)]
        options = [one for one in self.params if not isinstance(one, TyperArgument)]
        taken = {option for one in options for option in one.opts}
        whole.params = [*arguments, *_parameters(name, entry.parameters, taken, self.partial), *options]
        whole.help = escape(entry.description)
        return whole

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse what is left over."""
        rest = super().parse_args(ctx, args)
        if self.procedure and rest and not ctx.resilient_parsing:
            self._refuse(ctx, rest[0])
        return rest

    def _refuse(self, ctx: Any, word: str) -> NoReturn:
        from mho.errors import nearest
        from mho.runs.units import converted

        units = {one.units for one in entry_of(self.procedure).parameters.values() if one.units}
        meant = nearest(word, dict.fromkeys(option for one in self.params for option in one.opts))
        if any(converted(1.0, word, unit) is not None for unit in units):
            meant = f"a number and its unit are one word: 200{word}"
        raise InputError(f"{ctx.command_path} has no argument {word!r}; {meant}")

    def invoke(self, ctx: Any) -> Any:
        """Call the verb; what was typed for the procedure waits in its context."""
        typed = {key: ctx.params.pop(key) for key in list(ctx.params) if key.startswith(MARK)}
        ctx.meta[GIVEN] = {key.removeprefix(MARK): value for key, value in typed.items() if value is not None}
        return super().invoke(ctx)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Omit arguments whose values are already part of the command: ``mho run read [OPTIONS]``."""
        pieces = [self.options_metavar] if self.options_metavar else []
        for one in self.get_params(ctx):
            if not getattr(one, "hidden", False):
                pieces.extend(one.get_usage_pieces(ctx))
        return pieces


def typed_parameters(context: typer.Context, seed: int | None = None) -> dict[str, Any]:
    """Return the parameters that were typed behind the procedure of a `ProcedureCommand`, as `make_procedure` takes them.

    Parameters
    ----------
    seed : int, optional
        The verb's own, for a procedure that has a parameter of this name; the labels of a run are looked up alike.

    Raises
    ------
    InputError
        For a text that is no number in its parameter's unit.
    """
    from mho.procedures.catalogue import form_named, plain_value

    command = context.command
    assert isinstance(command, ProcedureCommand)
    form = form_named(command.procedure)
    given: Mapping[str, Any] = context.meta[GIVEN]
    values = {key: plain_value(key, form[key], value) for key, value in given.items()}
    own = {"seed": seed} | {name: context.params.get(name) for name in LABELS if is_typed(context, name)}
    return {name: value for name, value in own.items() if value is not None and name in form} | values


def _hidden(argument: TyperArgument) -> TyperArgument:
    """Return an argument that is understood but not shown."""
    hidden = copy(argument)
    hidden.hidden = True
    return hidden


def _parameters(name: str, form: Mapping[str, ParameterEntry], taken: set[str], partial: bool) -> list[Any]:
    """Return the parameters of a procedure as Typer has them: required texts are arguments, all others options."""
    made = []
    for key, parameter in form.items():
        if parameter.required:
            made.append(_argument(key, parameter, partial))
        elif _option_name(key) not in taken:  # else the verb's own option is meant
            made.append(_option(key, parameter, f"Parameters of {name}"))

    def shape() -> None:
        """Placeholder for the procedure, of which only the signature is used."""

    shape.__signature__ = inspect.Signature(made)  # type: ignore[attr-defined]
    app = typer.Typer(add_completion=False)
    app.command()(shape)
    return get_command(app).params


def _argument(key: str, parameter: ParameterEntry, partial: bool) -> inspect.Parameter:
    from rich.markup import escape

    info = typer.Argument(metavar=key, help=escape(parameter.name), show_default=False)
    return _keyword(key, str | None if partial else str, info, None if partial else inspect.Parameter.empty)


def _option(key: str, parameter: ParameterEntry, panel: str) -> inspect.Parameter:
    """Return an option; its value is left to the parameter, whose messages are those of plans and scripts too."""
    from rich.markup import escape

    option = _option_name(key)
    default = "" if parameter.default in (None, "") else f" (default {parameter.default})"
    options: dict[str, Any] = {
        "help": escape(f"{parameter.name}{default}"),
        "show_default": False,
        "rich_help_panel": panel,
    }
    if parameter.kind == "boolean":
        names = f"{option}/--no-{option.removeprefix('--')}"
        return _keyword(key, bool | None, typer.Option(names, **options), None)
    choices = list(map(str, parameter.choices))
    # Its name is all that a help shows of a type.
    kind = type(_kind_in_words(parameter, choices), (str,), {})
    info = typer.Option(option, parser=str, autocompletion=lambda: choices, **options)
    return _keyword(key, kind | None, info, None)


def _kind_in_words(parameter: ParameterEntry, choices: Iterable[str]) -> str:
    kind = "text" if parameter.minimum is None else "number"
    choices = [*choices, "MODULE:CLASS"] if parameter.kind == "code" else choices
    return "|".join(choices) or (f"{kind}, {parameter.units}" if parameter.units else kind)


def _keyword(key: str, kind: Any, info: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(
        MARK + key, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, info]
    )


def _option_name(key: str) -> str:
    return "--" + key.replace("_", "-")
