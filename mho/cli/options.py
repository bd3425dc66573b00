"""Arguments and options that several verbs have, each described once."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from mho.cli import completion
from mho.cli.terminal.sentences import complain
from mho.errors import MhoError

SIMULATED_CELLS = "simulated cells: {presets}, or a preset file (.toml)"
"""The list is put in when the help is shown, see `procedure_command`: the presets are not loaded before."""

Run = Annotated[Path, typer.Argument(help="a run file (.h5)", show_default=False)]
Runs = Annotated[list[Path], typer.Argument(help="run files (.h5)", show_default=False)]
PlanFile = Annotated[Path, typer.Argument(help="a plan (.toml)", show_default=False)]
BenchArgument = Annotated[
    str, typer.Argument(help="a packaged bench or a bench file", autocompletion=completion.benches)
]

Bench = Annotated[
    str, typer.Option(help="a packaged bench or a bench file", autocompletion=completion.benches)
]


def preset_in_doubt(ctx: typer.Context, preset: str | None) -> str | None:
    """Warn of a preset file that was not checked, or failed its checks; that it is no preset its verb says."""
    if preset is not None and preset.endswith(".toml") and not ctx.resilient_parsing:
        from mho.instruments.simulated import cell_preset

        with suppress(MhoError):
            if warning := cell_preset(preset).warning:
                complain(
                    f"{warning}; what is computed with it holds as far as these cells are those of the chip"
                )
    return preset


Preset = Annotated[
    str | None,
    typer.Option(help=SIMULATED_CELLS, autocompletion=completion.presets, callback=preset_in_doubt),
]
Sample = Annotated[
    str | None,
    typer.Option(envvar="MHO_SAMPLE", help="label of the run: wafer, die, chip, as the lab names it"),
]
Operator = Annotated[str | None, typer.Option(envvar="MHO_OPERATOR", help="label of the run: who measures")]
Project = Annotated[str | None, typer.Option(envvar="MHO_PROJECT", help="label of the run: what for")]
LABELS = ("sample", "operator", "project")
"""Names of the options that are labels of a run."""
Seed = Annotated[int | None, typer.Option(help="of everything random; fresh when left out")]
Output = Annotated[Path | None, typer.Option(help="run file (.h5) or folder, default data/runs")]
OutputIfKept = Annotated[
    Path | None, typer.Option("--output", help="run file (.h5) or folder; nothing is kept unless given")
]
OutputFolder = Annotated[
    Path | None, typer.Option("--output", help="folder, default one of its own in data/runs")
]
TO = ("--to", "--output")
"""Names of the option of verbs that write a file which is no run."""
ResumeOf = Annotated[
    Path | None, typer.Option(help="an earlier run of the same: what its file holds is taken over")
]
Force = Annotated[bool, typer.Option("--force", help="take limits that can hardly be meant as they are")]
Trusted = Annotated[bool, typer.Option("--trust", help="run code that a run file names, without asking")]
Scheduler = Annotated[
    str, typer.Option(help="of a dask cluster, tcp://HOST:PORT or tls://HOST:PORT, instead")
]
Authority = Annotated[
    Path | None, typer.Option(help="authority (.pem) behind the certificate of a scheduler at tls://")
]
Certificate = Annotated[Path | None, typer.Option(help="certificate (.pem) that is shown to that scheduler")]
Key = Annotated[Path | None, typer.Option(help="its private key (.pem)")]
SummaryAsJson = Annotated[bool, typer.Option("--json", help="print a summary for machines instead")]
By = Annotated[
    str,
    typer.Option(
        help="group runs: preset, chip, another fact, a parameter, a result, or NAME,NAME",
        show_default=False,
        autocompletion=completion.groupings,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON for machines instead")]
