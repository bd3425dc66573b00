"""Which verbs there are, each with a line of help; a verb, which takes long to load, is imported when it is typed.

Beside mho's own stand those of packages, by entry points of the group ``mho.verbs``: ``reach = "my_lab.reach:reach"``,
which names a function as Typer takes it, or a `typer.Typer` of several.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cached_property
from importlib import import_module
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
from mho.extension_points import Extension, error_text, find_offer, usable_offers

log = logging.getLogger(__name__)

ENTRY_POINTS = "mho.verbs"
NOUN = "verb"

VERBS = {
    "Experiments": (
        (
            "solve", "experiments.experiments:solve:SolveCommand",
            "Solve A x = b on the chip: program it, invert, multiply and refine, into one run file.",
        ),
        (
            "forecast", "experiments.forecast:forecast:ForecastCommand",
            "Say what a solve is going to come to, with intervals, before anything is programmed; "
            "connects to nothing.",
        ),
        (
            "characterise", "experiments.characterise:characterise",
            "Carry out the standard protocol over a sample of cells: contact to endurance, one plan, "
            "one report.",
        ),
        (
            "run", "experiments.experiments:run:RunCommand",
            "Run any procedure, its parameters being options with units (`--interval 100ms`), or a "
            "plan of many.",
        ),
        (
            "resume", "experiments.experiments:resume",
            "Go on with a run on a simulated bench that was killed or aborted; what its file holds is "
            "taken over.",
        ),
        (
            "rehearse", "experiments.rehearsal:rehearse:RehearseCommand",
            "Run a procedure on the simulated twins of a real bench, and report what it would do "
            "there.",
        ),
        (
            "procedures", "experiments.experiments:procedures",
            "List the procedures there are, with their parameters, units and defaults.",
        ),
        (
            "gui", "window:gui",
            "Open the window to run, watch and stop experiments; or a smaller one on a single run "
            "file.",
        ),
    ),
    "Many runs": (
        (
            "campaign", "many_runs.campaign:campaign",
            "Carry out a plan's runs on simulated benches, several at once; what is finished is not "
            "repeated.",
        ),
        (
            "runner", "many_runs.runner:runner",
            "Carry out the queue's jobs for a bench one by one until Ctrl-C; a second Ctrl-C does not "
            "wait.",
        ),
        (
            "watch", "window:watch",
            "Serve a read-only page about queue, progress, map and convergence on loopback, until "
            "Ctrl-C.",
        ),
        ("queue", "many_runs.queue:queue_app", "Line up runs, and watch and command the runner."),
    ),
    "Run files": (
        ("show", "run_files.run_files:show", "Print what a run file holds."),
        (
            "plot", "run_files.run_files:plot",
            "Draw the figures of a run, of several laid over one another, or of many in groups.",
        ),
        (
            "report", "analysis.reports:report",
            "Write one page about a run, a comparison or a campaign: results, figures, provenance, "
            "how to repeat it.",
        ),
        (
            "table", "run_files.run_files:table",
            "Write one table of many runs: parameters and results, a row a run.",
        ),
        (
            "export", "run_files.run_files:export",
            "Write runs in another form: CSV, .mat, NetCDF, a research package of all of them, a chip "
            "map, or a netlist.",
        ),
        (
            "compare", "analysis.reports:compare:CompareCommand",
            "Say what differs between runs, or groups of runs: settings, and results with the sizes "
            "of effects.",
        ),
        (
            "calibrate", "analysis.calibrate:calibrate",
            "Fit the simulated cells to what pulses did on a chip: a preset file, with how well it is "
            "known.",
        ),
        (
            "budget", "analysis.budget:budget",
            "Say what made a run's answers wrong, cause by cause, and what to mend first; connects to "
            "nothing.",
        ),
        (
            "rerun", "run_files.rerun:rerun",
            "Repeat a run on a simulated bench, and say whether all is equal bit for bit, and what "
            "differs.",
        ),
        (
            "verify", "run_files.verification:verify",
            "List which run files are damaged, interrupted, or changed since they were written.",
        ),
        (
            "recover", "run_files.verification:recover",
            "Make ordinary files of interrupted ones, for every viewer; they stay interrupted runs.",
        ),
        (
            "runs", "run_files.runs:runs_app",
            "List, search, tag and link runs. Without a further word: list them, newest first.",
        ),
    ),
    "Benches": (
        ("chip", "benches:chip_app", "Keep the list of a chip's defects."),
        ("bench", "benches:bench_app", "Check benches, make them safe, show and serve them."),
    ),
}  # fmt: skip
"""The groups of the help, and in each name, place (``module:verb``, with ``:Class`` of its own) and help of every verb.

The place is below `mho.cli`; a verb may be a `typer.Typer` of several. The help is the first paragraph of the verb's own.
"""

OTHERS = "Extensions"
"""The group of a package's verb whose module has no `GROUP`."""


class LazyVerb(TyperCommand):
    """Placeholder of a verb, or of a group of verbs, that is imported when it is typed.

    Parameters
    ----------
    name, panel, place, text : str
        As in `VERBS`, the place with the whole name of the module.
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


def describe_verb(name: str, target: str, package: str = "the package") -> Mapping[str, str]:
    """Return what a manifest says of a package's verb: the group it stands in, and the first paragraph of its help."""
    verb = LazyVerb(name, "", target, "", package).verb
    text = (verb.help or "").partition("\n\n")[0].replace("\n", " ")
    return {"group": getattr(import_module(target.partition(":")[0]), "GROUP", OTHERS), "help": text}


def _offered(offer: Extension) -> LazyVerb:
    facts = offer.facts or describe_verb(offer.name, offer.target, offer.package)
    panel, text = (str(facts.get(key, default)) for key, default in (("group", OTHERS), ("help", "")))
    return LazyVerb(offer.name, visible(panel), offer.target, visible(text), offer.package)


class MhoVerbs(TyperGroup):
    """All verbs. Packages are looked through only where a verb is not mho's own, or where all are listed."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for panel, verbs in VERBS.items():
            for name, place, text in verbs:
                self.add_command(LazyVerb(name, panel, f"{__package__}.{place}", text))
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
