"""``mho rehearse``, with extremes beside limits, what would have hurt, messages, and the time on hardware."""

from __future__ import annotations

import math
from collections import Counter
from datetime import timedelta
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mho.cli import completion
from mho.cli.exit_codes import UNFINISHED
from mho.cli.experiments.experiments import require
from mho.cli.experiments.procedure_command import ProcedureCommand, typed_parameters
from mho.cli.options import Force, OutputIfKept, Preset, Seed
from mho.cli.terminal.terminal import Terminal, plain_table
from mho.errors import InputError
from mho.lazy_names import late_imports

with late_imports():
    from mho.cli.terminal import run_display
    from mho.procedures import catalogue
    from mho.running import rehearsal as rehearsals

PREFIXES = {9: "G", 6: "M", 3: "k", 0: "", -3: "m", -6: "u", -9: "n", -12: "p"}
SHOWN = 5  # incidents in full; the others are counted by kind


class RehearseCommand(ProcedureCommand):
    """A verb whose first word is a bench, which may stand behind ``--bench`` as well."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Put the bench that is given by its option first."""
        words = list(args)
        for place, word in enumerate(words):
            name, equals, value = word.partition("=")
            if name == "--bench" and (equals or words[place + 1 :]):
                rest = words[:place] + words[place + (1 if equals else 2) :]
                words = [value if equals else words[place + 1], *rest]
                break
        return super().make_context(info_name, words, parent, **extra)


def rehearse(
    context: typer.Context,
    bench: Annotated[
        str, typer.Argument(help="a bench file", show_default=False, autocompletion=completion.benches)
    ] = "",
    procedure: Annotated[
        str,
        typer.Argument(
            help="solve, …, and its arguments", show_default=False, autocompletion=completion.procedures
        ),
    ] = "",
    preset: Preset = None,
    seed: Seed = None,
    output: OutputIfKept = None,
    bench_: Annotated[
        str | None,
        typer.Option(
            "--bench", help="a bench file, as the first word, too", autocompletion=completion.benches
        ),
    ] = None,
    beyond: Annotated[
        bool, typer.Option("--beyond", help="go on beyond limits, and report them all")
    ] = False,
    force: Force = False,
) -> None:
    """Run a procedure on the simulated twins of a real bench, and report what it would do there."""
    if bench_ is not None:  # the first one stands in front already
        raise InputError(f"the bench is named twice, {bench!r} and {bench_!r}; name it once")
    require(procedure, context)
    made = catalogue.make_procedure(procedure, typed_parameters(context, seed))
    with run_display.RunDisplay() as display:
        result = rehearsals.rehearse(
            made, bench, seed=seed, preset=preset, output=output, beyond=beyond, force=force,
            observers=[display.observe],
        )  # fmt: skip
    print_rehearsal(result)
    if not result.passed:
        raise typer.Exit(UNFINISHED)


def print_rehearsal(rehearsal: rehearsals.Rehearsal, console: Console | None = None) -> None:
    """Print a rehearsal, on standard output unless another console is given."""
    out = console or Terminal(soft_wrap=True)
    r = rehearsal
    out.print(
        Text.assemble(
            (r.procedure, "bold"),
            f", rehearsed on the twins of bench {r.bench!r} (cells {r.preset}, seed {r.seed})",
        )
    )
    out.print(_terminals(r))
    out.print(_buses(r))
    _print_incidents(r, out)
    out.print(
        f"{r.pulses} pulses; on hardware about {_duration(r.hardware_seconds)}: {_duration(r.instrument_seconds)} of the "
        f"instruments' own time, {_duration(r.bus_seconds)} of messages at the assumed times above; the computer's "
        "work comes on top"
    )
    if r.run_file is not None:
        out.print(str(r.run_file))
    for sentence in r.untwinned:
        out.print(sentence, style="yellow", markup=False)
    out.print(f"not seen by any rehearsal: {', '.join(rehearsals.UNSEEN)}; check the bench before")
    if r.passed:
        out.print(
            "passed: it finished within all limits, and nothing that can be seen here would have hurt",
            style="bold green",
        )
    elif not r.finished:
        out.print(f"NOT finished: {r.reason}", style="bold red", markup=False)
    else:
        out.print("NOT passed: see above what would have hurt", style="bold red")


def _terminals(rehearsal: rehearsals.Rehearsal) -> Table:
    numbers = ("seen", "limit", "margin")
    table = plain_table("terminal", "quantity", *numbers, right=numbers)
    for one in rehearsal.quantities:
        margin = f"{max(0.0, 100.0 * one.margin / one.limit):.0f} %" if one.within else "EXCEEDED"
        table.add_row(
            one.terminal,
            one.name,
            _seen(one),
            "none" if math.isinf(one.limit) else _scaled(one.limit, one.unit),
            "" if math.isinf(one.limit) else margin,
            style="" if one.within else "bold red",
        )
    return table


def _seen(one: rehearsals.TerminalQuantity) -> str:
    low, high = _scaled(one.lowest, one.unit), _scaled(one.highest, one.unit)
    return high if one.lowest == 0.0 or low == high else f"{low} to {high}"


def _scaled(value: float, unit: str) -> str:
    """A value to three digits with a prefix: 3.7 V, 100 ns."""
    if not value:
        return f"0 {unit}"
    exponent = min(9, max(-12, 3 * math.floor(math.log10(abs(value) * 1.0005) / 3)))
    return f"{value / 10.0**exponent:.3g} {PREFIXES[exponent]}{unit}"


def _buses(rehearsal: rehearsals.Rehearsal) -> Table:
    numbers = ("messages", "assumed each", "together")
    table = plain_table("role", "address", *numbers, right=numbers, fold=("address",))
    for bus in rehearsal.buses:
        each = f"{bus.message_time * 1e3:.1f} ms"
        table.add_row(bus.roles, bus.address, str(bus.messages), each, _duration(bus.seconds))
    return table


def _print_incidents(rehearsal: rehearsals.Rehearsal, out: Console) -> None:
    if not rehearsal.incidents:
        out.print(
            "no contention, no floating gate, no hot switch, no generator running free, nothing beyond a limit"
        )
        return
    for incident in rehearsal.incidents[:SHOWN]:
        out.print(f"{incident.time:.6f} s  {incident.kind}: {incident.detail}", style="red")
    if len(rehearsal.incidents) > SHOWN:
        counts = Counter(incident.kind for incident in rehearsal.incidents[SHOWN:])
        more = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        out.print(f"and more: {more}", style="red")


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 100.0 else str(timedelta(seconds=round(seconds)))
