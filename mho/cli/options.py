"""Arguments and options that several verbs have, each described once; groups of them are one argument of a verb."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mho.cli import completion
from mho.cli.terminal.sentences import print_warning
from mho.errors import MhoError
from mho.runs import Labels

if TYPE_CHECKING:
    from mho.workers import Certificates

SIMULATED_CELLS = "simulated cells: {presets}, or a preset file (.toml)"
"""The list is put in when the help is shown, see `procedure_command`: the presets are not loaded before."""

Run = Annotated[Path, typer.Argument(help="a run file (.h5)", show_default=False)]
Runs = Annotated[list[Path], typer.Argument(help="run files (.h5)", show_default=False)]
RunsOrFolders = Annotated[
    list[Path], typer.Argument(help="run files, or folders of them", show_default=False)
]
RunsFolder = Annotated[
    Path | None, typer.Option("--runs", help="folder of runs, default MHO_RUNS or data/runs")
]
PlanFile = Annotated[Path, typer.Argument(help="a plan (.toml)", show_default=False)]
BenchArgument = Annotated[
    str, typer.Argument(help="a packaged bench or a bench file", autocompletion=completion.benches)
]
BenchArguments = Annotated[
    list[str],
    typer.Argument(help="a packaged bench or a bench file", autocompletion=completion.benches),
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
                print_warning(
                    f"{warning}; what is computed with it holds as far as these cells are those of the chip"
                )
    return preset


Preset = Annotated[
    str | None,
    typer.Option(help=SIMULATED_CELLS, autocompletion=completion.presets, callback=preset_in_doubt),
]
Circuit = Annotated[
    str | None,
    typer.Option(help="element of one's own in the simulated circuits: module:Class, path/file.py:Class"),
]
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


def is_typed(context: typer.Context, option: str) -> bool:
    """Return whether an option or an argument was typed, not taken from the environment or left at its default."""
    return getattr(context.get_parameter_source(option), "name", "") == "COMMANDLINE"


def grouped(verb: Callable[..., None]) -> Callable[..., None]:
    """Let every field of an argument that is a dataclass be an option of the verb, in the place of the argument."""
    own = inspect.signature(verb, eval_str=True).parameters.values()
    groups: dict[str, type[Any]] = {
        one.name: one.annotation
        for one in own
        if isinstance(one.annotation, type) and is_dataclass(one.annotation)
    }
    flat: list[inspect.Parameter] = []
    for one in own:
        group = groups.get(one.name)
        flat += [one] if group is None else inspect.signature(group, eval_str=True).parameters.values()

    @wraps(verb)
    def call(**values: Any) -> None:
        for name, group in groups.items():
            values[name] = group(**{field.name: values.pop(field.name) for field in fields(group)})
        verb(**values)

    keyword = inspect.Parameter.KEYWORD_ONLY
    call.__signature__ = inspect.Signature([one.replace(kind=keyword) for one in flat])  # type: ignore[attr-defined]
    call.__annotations__ = {}
    return call


@dataclass(frozen=True)
class LabelOptions:
    """Labels of a run."""

    sample: Annotated[
        str | None,
        typer.Option(envvar="MHO_SAMPLE", help="label of the run: wafer, die, chip, as the lab names it"),
    ] = None
    operator: Annotated[
        str | None, typer.Option(envvar="MHO_OPERATOR", help="label of the run: who measures")
    ] = None
    project: Annotated[str | None, typer.Option(envvar="MHO_PROJECT", help="label of the run: what for")] = (
        None
    )

    def labels(self) -> Labels:
        """Return them, checked."""
        return Labels(self.sample, self.operator, self.project)


LABELS = tuple(one.name for one in fields(LabelOptions))
"""Names of the options that are labels of a run."""


@dataclass(frozen=True)
class Conditions:
    """On which bench a run is carried out, and how."""

    bench: Bench = "simulated"
    preset: Preset = None
    circuit: Circuit = None
    seed: Seed = None
    force: Force = False


@dataclass(frozen=True)
class Cluster:
    """A dask cluster, and what it is reached with."""

    scheduler: Annotated[
        str, typer.Option(help="of a dask cluster, tcp://HOST:PORT or tls://HOST:PORT, instead")
    ] = ""
    tls_ca: Annotated[
        Path | None, typer.Option(help="authority (.pem) behind the certificate of a scheduler at tls://")
    ] = None
    tls_cert: Annotated[
        Path | None, typer.Option(help="certificate (.pem) that is shown to that scheduler")
    ] = None
    tls_key: Annotated[Path | None, typer.Option(help="its private key (.pem)")] = None

    def certificates(self) -> Certificates:
        """Return the files for a scheduler at ``tls://``."""
        from mho.workers import Certificates  # and with it TLS, which other verbs do not need

        return Certificates(self.tls_ca, self.tls_cert, self.tls_key)
