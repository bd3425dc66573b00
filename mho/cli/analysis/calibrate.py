"""``mho calibrate``: from run files to a preset of one's own chip, held to the runs.

What the verb needs is imported when it is called: `mho --help` is to be there at once.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mho.cli import completion
from mho.cli.options import TO, Runs
from mho.cli.terminal.sentences import say
from mho.errors import Aborted, InputError, MhoError

if TYPE_CHECKING:
    from mho.analysis.calibration import Calibration, GatheredEvidence

TOP = 0.95  # quantile of the reads after SETs, which a few stuck cells do not reach
FEWEST_DRAWS, MOST_DRAWS = 40, 9999


def calibrate(
    runs: Runs,
    to: Annotated[Path, typer.Option(*TO, help="the preset file to write (.toml)", show_default=False)],
    base: Annotated[
        str,
        typer.Option(
            help="the packaged preset that the chip is nearest to", autocompletion=completion.presets
        ),
    ] = "stanford",
    checks: Annotated[
        int, typer.Option(help="chips drawn from the preset on which the runs are repeated; 0 for none")
    ] = 99,
    hold_out: Annotated[
        list[Path] | None,
        typer.Option(
            help="a run from whose pulses the preset is not made, and that it is held to; may be given several times"
        ),
    ] = None,
    figure: Annotated[
        Path | None, typer.Option(help="picture of the checks: .png, .svg, .pdf", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(help="of the drawn chips")] = 0,
    force: Annotated[bool, typer.Option("--force", help="replace the file if it is there")] = False,
) -> None:
    """Fit the simulated cells to what pulses did on a chip: a preset file, with how well it is known."""
    _check_writable(to, force)
    if checks and not FEWEST_DRAWS <= checks <= MOST_DRAWS:
        raise InputError(
            f"--checks {checks}: fewer than {FEWEST_DRAWS} chips cannot tell that a number lies outside; give "
            f"{FEWEST_DRAWS} to {MOST_DRAWS}, or 0 for no checks"
        )
    if not checks and (hold_out or figure):
        raise InputError("--hold-out and --figure need the checks; leave out --checks 0")
    if figure is not None:
        from mho.analysis.figures import check_picture

        check_picture(figure)
    kept_out = [*(hold_out or [])]
    twice = {one.resolve() for one in runs} & {one.resolve() for one in kept_out}
    if twice:
        raise InputError(f"{min(twice).name} is to be fitted and held out; name it once")
    from mho.analysis.calibration import as_preset_file, check_one_chip
    from mho.cli.analysis.calibration_table import print_calibration
    from mho.cli.terminal.terminal import Terminal

    check_one_chip([*runs, *kept_out])
    try:
        found, told = _fitted(runs, kept_out, base, to)
    except KeyboardInterrupt:
        raise Aborted(f"stopped: {to} is not written") from None
    names = [run.name for run in runs]
    console = Terminal(soft_wrap=True)
    print_calibration(found, told, console)
    state, says = "none", "stopped before they were done" if checks else "left out, --checks 0"
    try:
        if checks:
            plain = as_preset_file(found, to.stem, names, told.estimates)
            state, says = _hold_to(runs, kept_out, plain, checks, seed, to, figure)
    except Aborted:
        raise
    except MhoError as error:
        says = str(error)
        raise
    finally:  # with what came of the checks, whatever it was
        _write(to, as_preset_file(found, to.stem, names, told.estimates, state, says))
    say(to)


def _write(to: Path, text: str) -> None:
    """Write a file in one step."""
    draft = to.with_name(f".{to.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(to)
    finally:
        draft.unlink(missing_ok=True)


def _fitted(
    runs: list[Path], beside: list[Path], base: str, to: Path
) -> tuple[Calibration, GatheredEvidence]:
    """Return what pulses and the other experiments tell."""
    from dataclasses import asdict

    import numpy as np

    from mho.analysis.calibration import calibrate as fit
    from mho.analysis.calibration import check_range, read_records, told_beyond_pulses, transitions_of
    from mho.instruments.simulated import CELL_PRESETS

    if base not in CELL_PRESETS:
        raise InputError(f"--base {base}: no packaged preset; there are {', '.join(CELL_PRESETS)}")
    if to.stem in CELL_PRESETS:
        raise InputError(
            f"--to {to}: {to.stem} is the name of a packaged preset; choose another, such as mychip.toml"
        )
    preset = asdict(CELL_PRESETS[base])
    columns = read_records(runs).columns
    data = transitions_of(columns, preset)
    if data.sets.count:
        maxima = {name: one.maximum for name, one in CELL_PRESETS.items()}
        check_range(float(np.quantile(data.sets.after[data.sets.live], TOP)), base, maxima)
    told = told_beyond_pulses(runs, data, preset, beside)
    about = dict(preset)
    for one in told.estimates:  # reads scatter as they were seen to
        about |= {one.name: one.value, **one.beside}
    return fit(transitions_of(columns, about), base, about, lambda what: say(what, err=True)), told


def _hold_to(
    runs: list[Path], held_out: list[Path], text: str, draws: int, seed: int, to: Path, figure: Path | None
) -> tuple[str, str]:
    """Repeat the runs on chips drawn from the preset, and print and draw what comes out beside what was measured.

    Returned is the state of the checks, and what came of them in words.
    """
    from mho.cli.analysis.calibration_table import print_checks
    from mho.cli.terminal.stages import Stages
    from mho.cli.terminal.terminal import Terminal
    from mho.running.calibrating import check_runs, save_checks

    try:
        with Stages() as stages:
            checks = check_runs(
                runs, text, draws, held_out=held_out, seed=seed,
                progress=lambda done, total: stages.show(f"chips drawn from {to.name}", done, total),
            )  # fmt: skip
    except KeyboardInterrupt:
        raise Aborted(f"stopped: {to} is written, as a preset that was not checked") from None
    print_checks(checks, Terminal(soft_wrap=True))
    if figure is not None and checks.checks:
        say(save_checks(checks, f"{to.stem}: measured beside {draws} drawn chips", figure))
    return checks.state, checks.says


def _check_writable(to: Path, force: bool) -> None:
    """Raise unless the preset file can be written: before minutes of work, not after."""
    if to.suffix != ".toml":
        raise InputError(f"--to {to}: a preset file ends with .toml, such as mychip.toml")
    if to.is_dir() or not to.parent.is_dir() or not os.access(to.parent, os.W_OK):
        raise InputError(f"--to {to} cannot be written; name a file in a folder that is there and yours")
    if to.exists() and not force:
        raise InputError(f"--to {to} exists already; name another, or --force to replace it")
