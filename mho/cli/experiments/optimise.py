"""``mho optimise``: the settings of a strategy that take the least on the twin of a chip; and runs held to a prediction.

What the verb needs is imported when it is called: `mho --help` is to be there at once.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from mho.cli import completion
from mho.cli.exit_codes import UNFINISHED
from mho.cli.options import TO, AsJson, Bench, Preset
from mho.errors import InputError

SECONDS_A_MINUTE = 60.0


def optimise(
    strategy: Annotated[
        str,
        typer.Argument(
            help="a programming strategy, or all; with --compare a settings file",
            autocompletion=completion.strategies,
        ),
    ],
    bench: Bench = "arrays",
    preset: Preset = None,
    success: Annotated[float, typer.Option(help="share of the cells that must be in their windows")] = 0.99,
    after: Annotated[
        float, typer.Option(help="judge the success so many seconds after programming, by what cells hold")
    ] = 0.0,
    cost: Annotated[
        str, typer.Option(help="what to minimise: both (pulses and reads), pulses, reads, time")
    ] = "both",
    budget: Annotated[int, typer.Option(help="settings to try")] = 120,
    minutes: Annotated[float, typer.Option(help="at most so long, on this machine's clock")] = 10.0,
    seed: Annotated[int, typer.Option(help="of the chips and of the search")] = 0,
    chips: Annotated[int, typer.Option(help="chips of the comparison with the present settings")] = 20,
    cells: Annotated[int, typer.Option(help="cells of each of them")] = 400,
    search: Annotated[str, typer.Option(help="evolution, or bayesian, which needs optuna")] = "evolution",
    vary: Annotated[
        str, typer.Option(help="settings to search instead of all that matter: gate_step, inner=0.5..0.9")
    ] = "",
    write_verify: Annotated[
        str | None, typer.Option(help="present settings, the chip map's unless given; text or file")
    ] = None,
    array: Annotated[
        str | None, typer.Option(help="of the chip; the first that multiplies unless given")
    ] = None,
    passes: Annotated[int, typer.Option(help="of touching up")] = 2,
    to: Annotated[Path | None, typer.Option(*TO, help="settings file (.toml) to write")] = None,
    force: Annotated[bool, typer.Option("--force", help="replace a settings file that is there")] = False,
    compare: Annotated[
        Path | None, typer.Option(help="instead, hold this run to the prediction in a settings file")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find the settings of a programming strategy that take the fewest pulses and reads; connects to nothing."""
    if compare is not None:
        _compare(compare, strategy, as_json)
        return
    from mho.cli.experiments.policies import policy_as_json, print_policy
    from mho.cli.terminal.sentences import complain, say
    from mho.cli.terminal.stages import Stages
    from mho.cli.terminal.terminal import Terminal
    from mho.running.optimising import check_writable, write_settings
    from mho.running.optimising import optimise as find

    if to is not None:
        check_writable(to, force)
    with Stages(quiet=as_json) as stages:
        policy = find(
            strategy, bench=bench, preset=preset, success=success, cost=cost, seed=seed, evaluations=budget,
            seconds=SECONDS_A_MINUTE * minutes, chips=chips, cells=cells, search=search, write_verify=write_verify,
            vary=_varied(vary), array=array, passes=passes, after=after, progress=stages.show,
        )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(policy_as_json(policy)))
    else:
        print_policy(policy, Terminal(soft_wrap=True))
    if not policy.reached:
        best = policy.success()
        complain(
            f"no setting tried reached a success of {policy.wanted:g}; the best reached {best.mean:.4f} ({best.low:.4f} to "
            f"{best.high:.4f}){'' if to is None else f', and {to} was not written'}: ask for less with --success, try more "
            "with --budget, or another strategy"
        )
        raise typer.Exit(UNFINISHED)
    if to is not None:
        write_settings(policy, to, force)
        if not as_json:
            say(to)


def _compare(run: Path, settings: str, as_json: bool) -> None:
    """Print a run beside its prediction."""
    from mho.cli.experiments.policies import compared_as_json, print_compared
    from mho.cli.terminal.terminal import Terminal
    from mho.running.optimising import compare

    found = compare(run, settings)
    if as_json:
        typer.echo(json.dumps(compared_as_json(found)))
    else:
        print_compared(found, run.name, settings, Terminal(soft_wrap=True))


def _varied(text: str) -> dict[str, tuple[float, float] | None]:
    """Return the settings to search, with their bounds or None."""
    found: dict[str, tuple[float, float] | None] = {}
    for part in text.split(","):
        name, equals, bounds = (piece.strip() for piece in part.partition("="))
        if not name:
            continue
        if name in found:
            raise InputError(f"--vary names {name} twice")
        found[name] = None
        if equals:
            low, dots, high = bounds.partition("..")
            try:
                found[name] = float(low), float(high)
            except ValueError:
                dots = ""
            if not dots:
                raise InputError(f"--vary {name}={bounds}: give two numbers in SI units, as {name}=0.5..0.9")
    return found
