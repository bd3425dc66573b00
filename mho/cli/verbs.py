"""Which verbs there are, each with a line of help; a verb, which takes long to load, is imported when it is typed."""

from __future__ import annotations

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
            "optimise", "experiments.optimise:optimise",
            "Find the settings of a programming strategy that take the fewest pulses and reads; "
            "connects to nothing.",
        ),
        (
            "characterise", "experiments.characterise:characterise",
            "Carry out the standard protocol over a sample of cells: contact to endurance, one plan, "
            "one report.",
        ),
        (
            "published", "experiments.published:published",
            "Repeat the reference paper's experiments beside the published numbers; connects to "
            "nothing.",
        ),
        (
            "reach", "experiments.reach:reach",
            "Solve systems of 36 families beside no chip at all, or export them so that other solvers "
            "can be scored.",
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
        ("import", "analysis.importing:import_", "Read a foreign table of measurements into a run file."),
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
            "projection", "analysis.projection:projection",
            "Project analogue inversion, beside GPUs and CPUs: per core and whole, with a new A each "
            "time and with A kept.",
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


class LazyVerb(TyperCommand):
    """Placeholder of a verb of `VERBS`, or of a group of verbs, that is imported when it is typed."""

    def __init__(self, name: str, panel: str, place: str, text: str) -> None:
        super().__init__(name, help=text, rich_help_panel=panel)
        self._place = place

    @cached_property
    def verb(self) -> TyperCommand | TyperGroup:
        """The verb itself."""
        from mho.cli.experiments.procedure_command import Verb

        home, _, names = self._place.partition(":")
        module = import_module(f"mho.cli.{home}")
        verb, *kind = (getattr(module, name) for name in names.split(":"))
        if isinstance(verb, typer.Typer):
            group = cast(TyperGroup, get_command(verb))
            group.help = self.help
            return group
        alone = typer.Typer(add_completion=False)
        alone.command(self.name, cls=kind[0] if kind else Verb)(verb)
        return cast(TyperCommand, get_command(alone))

    def make_context(self, *words: Any, **settings: Any) -> Any:
        """Create the context of the verb itself, which is then called, completed and asked for help."""
        return self.verb.make_context(*words, **settings)


class MhoVerbs(TyperGroup):
    """All verbs."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for panel, verbs in VERBS.items():
            for verb in verbs:
                self.add_command(LazyVerb(verb[0], panel, *verb[1:]))

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
        width = max(map(len, self.commands))
        for panel, verbs in VERBS.items():
            table = Table.grid(padding=(0, 1, 0, 1))
            table.add_column(style="bold cyan", width=width)
            for name, _, text in verbs:
                table.add_row(name, Text(text))
            _print_panel(console, panel, table)
        console.print(Padding(self.epilog or "", 1))


def _print_panel(console: Console, title: str, content: Table) -> None:
    console.print(Panel(content, title=title, title_align="left", border_style="dim"))
