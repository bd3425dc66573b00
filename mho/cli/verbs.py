"""Which verbs there are, each with a line of help; a verb, which takes long to load, is imported when it is typed.

Beside mho's own stand those of packages, by entry points of the group ``mho.verbs``: ``reach = "my_lab.reach:reach"``,
which names a function as Typer takes it, or a `typer.Typer` of several.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import typer
from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from typer.core import TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from mho.errors import InputError, MhoError
from mho.escaping import visible
from mho.extension_points import MANIFEST, Extension, error_text, find_offer, usable_offers

log = logging.getLogger(__name__)

ENTRY_POINTS = "mho.verbs"
NOUN = "verb"

VERBS = {
    "Experiments": {
        "solve": "experiments.experiments:solve:SolveCommand",
        "forecast": "experiments.forecast:forecast:ForecastCommand",
        "run": "experiments.experiments:run:RunCommand",
        "resume": "experiments.experiments:resume",
        "rehearse": "experiments.rehearsal:rehearse:RehearseCommand",
        "procedures": "experiments.experiments:procedures",
        "gui": "window:gui",
    },
    "Many runs": {
        "campaign": "many_runs.campaign:campaign",
        "runner": "many_runs.runner:runner",
        "queue": "many_runs.queue:queue_app",
    },
    "Run files": {
        "show": "run_files.run_files:show",
        "plot": "run_files.run_files:plot",
        "table": "run_files.run_files:table",
        "export": "run_files.run_files:export",
        "compare": "analysis.compare:compare:CompareCommand",
        "budget": "analysis.budget:budget",
        "rerun": "run_files.rerun:rerun",
        "verify": "run_files.run_files:verify",
        "recover": "run_files.run_files:recover",
        "runs": "run_files.runs:runs_app",
    },
    "Benches": {"chip": "benches:chip_app", "bench": "benches:bench_app", "doctor": "doctor:doctor"},
}
"""The groups of the help, and in each by name the place of every verb: ``module:verb``, with ``:Class`` of its own.

The place is below `mho.cli`; a verb may be a `typer.Typer` of several. Its line of help is the first paragraph of its own,
which the manifest holds (``python -m mho.cli.manifests``).
"""

OTHERS = "Extensions"
"""The group of a package's verb whose module has no `GROUP`."""


class LazyVerb(TyperCommand):
    """Placeholder of a verb, or of a group of verbs, that is imported when it is typed.

    Parameters
    ----------
    name, panel, place : str
        As in `VERBS`, the place with the whole name of the module.
    text : str
        Its line of help.
    package : str
        That offers it; "" of mho's own.
    """

    def __init__(self, name: str, panel: str, place: str, text: str, package: str = "") -> None:
        super().__init__(name, help=text, rich_help_panel=panel)
        self._place = place
        self._package = package

    @cached_property
    def verb(self) -> TyperCommand | TyperGroup:
        """The verb itself.

        Raises
        ------
        InputError
            A package's verb cannot be loaded.
        """
        from mho.cli.experiments.procedure_command import Verb

        try:
            home, _, names = self._place.partition(":")
            module = import_module(home)
            verb, *kind = (getattr(module, name) for name in names.split(":"))
            if isinstance(verb, typer.Typer):
                group = cast(TyperGroup, get_command(verb))
                group.help = self.help or group.help
                return group
            alone = typer.Typer(add_completion=False)
            alone.command(self.name, cls=kind[0] if kind else Verb)(verb)
            return cast(TyperCommand, get_command(alone))
        except MhoError:
            raise
        except (Exception, SystemExit) as error:  # a package's module may raise anything
            if not self._package:
                raise
            raise InputError(
                f"verb {self.name!r} of {self._package} cannot be loaded: {error_text(error)}"
            ) from error

    def make_context(self, *words: Any, **settings: Any) -> Any:
        """Create the context of the verb itself, which is then called, completed and asked for help."""
        return self.verb.make_context(*words, **settings)


def describe_verb(name: str, target: str, package: str = "the package") -> Mapping[str, Any]:
    """Return what a manifest says of a package's verb: its group, the first paragraph of its help, and its parameters.

    Of several verbs under one name it says that of each, under ``verbs``. A verb with a procedure's parameters names it.
    """
    verb = LazyVerb(name, "", target, "", package).verb
    return {"group": getattr(import_module(target.partition(":")[0]), "GROUP", OTHERS), **_facts_of(verb)}


def _facts_of(verb: TyperCommand | TyperGroup) -> dict[str, Any]:
    from mho.cli.experiments.procedure_command import ProcedureCommand
    from mho.cli.verb_parameters import describe_parameters

    facts: dict[str, Any] = {"help": (verb.help or "").partition("\n\n")[0].replace("\n", " ")}
    if isinstance(verb, TyperGroup):
        return facts | {"verbs": {name: _facts_of(cast(Any, one)) for name, one in verb.commands.items()}}
    if isinstance(verb, ProcedureCommand) and (procedure := verb.procedure_of({})):
        facts["procedure"] = procedure
    return facts | {"parameters": describe_parameters(verb)}


def _offered(offer: Extension) -> LazyVerb:
    facts = offer.facts or describe_verb(offer.name, offer.target, offer.package)
    panel, text = (str(facts.get(key, default)) for key, default in (("group", OTHERS), ("help", "")))
    return LazyVerb(offer.name, visible(panel), offer.target, visible(text), offer.package)


class MhoVerbs(TyperGroup):
    """All verbs. Packages are looked through only where a verb is not mho's own, or where all are listed."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        stated = json.loads(Path(__file__).with_name(MANIFEST).read_text("utf-8"))["verbs"]
        for panel, verbs in VERBS.items():
            for name, place in verbs.items():
                self.add_command(LazyVerb(name, panel, f"{__package__}.{place}", stated[name]["help"]))
        self._own = dict(self.commands)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a verb; None for one that neither mho nor a package has.

        Raises
        ------
        InputError
            As `mho.extension_points.find_offer`, or when it has no manifest and cannot be loaded.
        """
        if cmd_name.lower() in self._own:
            return self._own.get(cmd_name)
        offer = find_offer(ENTRY_POINTS, NOUN, cmd_name)
        return None if offer is None else _offered(offer)

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all verbs; of a package's that cannot be used the log says why."""
        self.commands = dict(self._own)
        for name, offer in usable_offers(ENTRY_POINTS, NOUN, self._own).items():
            try:
                self.commands[name] = _offered(offer)
            except MhoError as error:
                log.warning("verb %r is not offered: %s", name, error)
        return list(self.commands)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the verb that is typed; what may have been meant is one of all."""
        if self.get_command(ctx, args[0]) is None:
            self.list_commands(ctx)
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the verbs in their groups, as Typer does; its module for that takes longer to load than all else here."""
        console = Console(highlight=False)
        console.print(
            Padding(Text(self.get_usage(ctx), "bold"), 1), Padding(self.help or "", (0, 1, 1, 1)), sep=""
        )
        options = Table.grid(padding=(0, 1, 0, 1))
        for one in cast(list[TyperOption], self.get_params(ctx)):
            long = [name for name in one.opts if name.startswith("--")]
            short = [name for name in one.opts if name not in long]
            kind = one.display_type_rich(ctx=ctx) or ""
            row = (long, "bold cyan"), (short, "bold green"), ([kind], "bold yellow"), ([one.help or ""], "")
            options.add_row(*(Text(",".join(words), style) for words, style in row))
        _print_panel(console, "Options", options)
        verbs = [cast(LazyVerb, self.commands[name]) for name in self.list_commands(ctx)]
        width = max(map(len, self.commands))
        for panel in dict.fromkeys([*VERBS, *(str(verb.rich_help_panel) for verb in verbs)]):
            table = Table.grid(padding=(0, 1, 0, 1))
            table.add_column(style="bold cyan", width=width)
            for verb in verbs:
                if verb.rich_help_panel == panel:
                    table.add_row(Text(verb.name or ""), Text(verb.help or ""))
            _print_panel(console, panel, table)
        console.print(Padding(self.epilog or "", 1))


def _print_panel(console: Console, title: str, content: Table) -> None:
    console.print(Panel(content, title=Text(title), title_align="left", border_style="dim"))
