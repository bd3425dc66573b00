"""``mho calibrate``: from run files to a preset of one's own chip.

What the verb needs is imported when it is called: `mho --help` is to be there at once.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from mho.cli import completion
from mho.cli.display.sentences import say
from mho.cli.options import Runs
from mho.errors import InputError


def calibrate(
    runs: Runs,
    to: Annotated[Path, typer.Option(help="the preset file to write (.toml)", show_default=False)],
    base: Annotated[
        str,
        typer.Option(
            help="the packaged preset that the chip is nearest to", autocompletion=completion.presets
        ),
    ] = "stanford",
    force: Annotated[bool, typer.Option("--force", help="replace the file if it is there")] = False,
) -> None:
    """Fit the simulated cells to what pulses did on a chip: a preset file, with how well it is known."""
    _check_writable(to, force)
    from dataclasses import asdict

    from mho.analysis.calibration import as_preset_file, read_pulses, transitions_of
    from mho.analysis.calibration import calibrate as fit
    from mho.cli.display.calibration import print_calibration
    from mho.cli.display.terminal import Terminal
    from mho.instruments.simulated import CELL_PRESETS

    if base not in CELL_PRESETS:
        raise InputError(f"--base {base}: no packaged preset; there are {', '.join(CELL_PRESETS)}")
    if to.stem in CELL_PRESETS:
        raise InputError(
            f"--to {to}: {to.stem} is the name of a packaged preset; choose another, such as mychip.toml"
        )
    preset = asdict(CELL_PRESETS[base])
    found = fit(transitions_of(read_pulses(runs), preset), base, preset, lambda what: say(what, err=True))
    draft = to.with_name(f".{to.name}.{os.getpid()}")
    try:
        draft.write_text(as_preset_file(found, to.stem, [run.name for run in runs]), encoding="utf-8")
        draft.replace(to)
    finally:
        draft.unlink(missing_ok=True)
    print_calibration(found, Terminal(soft_wrap=True))
    say(to)


def _check_writable(to: Path, force: bool) -> None:
    """Raise unless the preset file can be written: before minutes of work, not after."""
    if to.suffix != ".toml":
        raise InputError(f"--to {to}: a preset file ends with .toml, such as mychip.toml")
    if to.is_dir() or not to.parent.is_dir() or not os.access(to.parent, os.W_OK):
        raise InputError(f"--to {to} cannot be written; name a file in a folder that is there and yours")
    if to.exists() and not force:
        raise InputError(f"--to {to} exists already; name another, or --force to replace it")
