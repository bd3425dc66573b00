"""``mho projection``: what analogue inversion would do, beside GPUs and CPUs by every denominator, and what that rests on.

What the verb needs is imported when it is called: `mho --help` is to be there at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mho.cli import completion
from mho.cli.options import Output
from mho.cli.terminal.sentences import complain, say
from mho.errors import Aborted, InputError

if TYPE_CHECKING:
    from mho.analysis.projection import Assumptions, MachineMeasurements


def projection(
    size: Annotated[
        list[int] | None, typer.Option(help="unknowns of the readings; may be given several times, default 32 and 128")
    ] = None,
    preset: Annotated[
        str,
        typer.Option(
            help="assumptions: published, fast, board, or bench (with --runs)", autocompletion=completion.projections
        ),
    ] = "",
    assumptions: Annotated[
        Path | None, typer.Option(help="a file (.toml) of other assumptions: NAME = VALUE", show_default=False)
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="another value, in SI units: inv_time=20e-9", show_default=False)
    ] = None,
    runs: Annotated[
        list[Path] | None,
        typer.Option(help="a run of invert or solve whose measurements are used; may be given several times"),
    ] = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="measure this machine's LAPACK, and its GPU if there is one")
    ] = False,
    draws: Annotated[int, typer.Option(help="of the uncertainty bands")] = 2000,
    seed: Annotated[int, typer.Option(help="of the draws")] = 0,
    output: Output = None,
) -> None:  # fmt: skip
    """Project analogue inversion, beside GPUs and CPUs: per core and whole, with a new A each time and with A kept."""
    from mho.analysis.projection import project, save
    from mho.cli.analysis.projection_table import print_projection
    from mho.cli.terminal.terminal import Terminal
    from mho.runs import new_run_path

    chosen = _chosen(preset, assumptions, set_ or [], runs or [])
    sizes = size or [32, 128]
    found = project(
        chosen, sizes, draws=draws, seed=seed
    )  # refuses what cannot be, before minutes of measuring
    target = new_run_path("projection", output)
    measured = _measured(sizes, seed) if measure else None
    if measured is not None:
        found = project(chosen, sizes, draws=draws, seed=seed, measured=measured.readings)
    inputs = {"inputs": "\n".join(f"run {one.name}" for one in runs)} if runs else None
    remarks = [*found.remarks, *(measured.remarks if measured else ())]
    path = save(found, target, measured=measured, remarks=remarks, inputs=inputs)
    print_projection(found, Terminal(soft_wrap=True))
    for remark in remarks:
        complain(remark)
    say(path)


def _chosen(preset: str, file: Path | None, texts: list[str], runs: list[Path]) -> Assumptions:
    """Return the assumptions: a preset, over it what runs tell, what a file says, and what was typed."""
    from mho.analysis.projection import BENCH, PUBLISHED, parsed, read_runs
    from mho.analysis.projection import preset as packaged

    name = preset or (BENCH if runs else PUBLISHED.name)
    if name == BENCH and not runs:
        raise InputError("--preset bench is what runs of this bench tell; name them: --runs RUN.h5")
    if runs and name != BENCH:
        raise InputError(f"--preset {name} with --runs: runs tell the preset bench; leave one of the two out")
    chosen = read_runs(runs).over(PUBLISHED, BENCH) if name == BENCH else packaged(name)
    if file is not None:
        chosen = chosen.with_file(file)
    return chosen.over(parsed(texts), "--set") if texts else chosen


def _measured(sizes: list[int], seed: int) -> MachineMeasurements:
    import numpy as np

    from mho.analysis.projection import MEASURED_SIZES, measure_machine
    from mho.cli.terminal.stages import Stages

    wanted = sorted({*MEASURED_SIZES, *(one for one in sizes if one <= max(MEASURED_SIZES))})
    try:
        with Stages() as stages:
            return measure_machine(np.random.default_rng(seed), sizes=wanted, progress=stages.show)
    except KeyboardInterrupt:
        raise Aborted("stopped: nothing is written") from None
