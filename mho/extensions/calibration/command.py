"""``mho calibrate``: from run files to a preset of one's own chip, held to the runs."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

import mho.extensions.calibration as calibration
from mho.analysis.reports import handy_unit
from mho.cli import TO, Runs, Stages, Terminal, say
from mho.errors import Aborted, InputError, MhoError
from mho.instruments.simulated import CELL_PRESETS
from mho.whole_files import whole_file

GROUP = "Run files"  # of the verb, in the list of all

TOGETHER = 0.8  # correlations that are told
PAIRS = 6


def print_calibration(
    fit: calibration.Calibration, evidence: calibration.GatheredEvidence, console: Console
) -> None:
    """Print a table of the parameters that were told, then sentences."""
    data = fit.transitions
    table = Table(box=None)
    for heading in ("parameter", "value", "95 % interval"):
        table.add_column(heading, no_wrap=True)
    table.add_column("from")
    sources = {name: f"{part.kind}s" for part in fit.parts for name in part.coordinates.names}
    for name, value, low, high, known in zip(fit.names, fit.mean, fit.low, fit.high, fit.told, strict=True):
        if known:
            table.add_row(name, f"{value:.4g}", f"{low:.4g} to {high:.4g}", sources[name])
    for one in evidence.estimates:
        table.add_row(one.label, f"{one.value:.4g}", f"{one.low:.4g} to {one.high:.4g}", one.source)
    console.print(table)
    console.print(
        f"from {data.sets.count} SETs and {data.resets.count} RESETs on {data.cells} cells, about the preset {fit.base}"
    )
    for remark in (*fit.remarks, *evidence.remarks):
        console.print(remark)
    for name, why in evidence.nothing.items():
        console.print(f"{name} tells nothing: {why}")
    pairs = _together(fit)
    if pairs:
        console.print("known only together: " + "; ".join(pairs))
    _print_helping(fit, evidence, console)


def _print_helping(
    fit: calibration.Calibration, evidence: calibration.GatheredEvidence, console: Console
) -> None:
    """Say what these data do not tell, the experiment that would tell most of it first."""
    experiments: dict[str, list[str]] = defaultdict(list)
    known = {one.name for one in evidence.estimates}
    for name, experiment in fit.not_told.items():
        if name not in known:
            experiments[experiment].append(name)
    if not experiments:
        return
    console.print("not told by these data; what would tell, the most helpful first:")
    for experiment, names in sorted(experiments.items(), key=lambda one: -len(one[1])):
        command = f" (`{calibration.COMMANDS[experiment]}`)" if experiment in calibration.COMMANDS else ""
        console.print(f"  {', '.join(names)}: {experiment}{command}", markup=False)


def _together(fit: calibration.Calibration) -> list[str]:
    """Return the strongest correlations between parameters that were told."""
    strength = np.abs(np.tril(fit.correlation, -1)) * np.outer(fit.told, fit.told)
    order = np.argsort(-strength, axis=None)[:PAIRS]
    rows, columns = np.unravel_index(order, strength.shape)
    return [
        f"{fit.names[i]} and {fit.names[j]} ({fit.correlation[i, j]:+.2f})"
        for i, j in zip(rows.tolist(), columns.tolist(), strict=True)
        if strength[i, j] > TOGETHER
    ]


def print_checks(checks: calibration.Checks, console: Console) -> None:
    """Print each number beside the drawn ones, run by run, and a sentence on those outside."""
    table = Table(box=None)
    for heading in ("number", "at", "measured", "drawn, 95 %", "p"):
        table.add_column(heading, no_wrap=True, min_width=8 if heading == "p" else None)
    run = ""
    for one in checks.checks:
        if one.run != run:
            run = one.run
            table.add_row(f"{run}, held out" if one.held_out else run)
        middle, low, high = (_text(value, one.quantity.unit) for value in one.interval)
        table.add_row(
            f"  {_name(one)}",
            _place(one),
            f"{_text(one.measured, one.quantity.unit)} {handy_unit(one.quantity.unit)[1]}".rstrip(),
            f"{middle} ({low} to {high})",
            f"{one.probability:.2f}" + (" out" if one.outside else ""),
        )
    if checks.checks:
        console.print(table)
        console.print(verdict(checks))
    for name, why in checks.not_repeated.items():
        console.print(f"{name} is not held to: {why}")


def verdict(checks: calibration.Checks) -> str:
    """Return what the checks say, in one sentence or two."""
    begin = f"{checks.says}; of a perfect twin {0.05 * len(checks.checks):.1f} would in the mean"
    if not checks.outside:
        return f"{begin}: these data do not contradict it"
    names = dict.fromkeys(f"{_name(one)} ({one.run})" for one in checks.outside)
    more = " More than chance has: the preset failed." if checks.state == "failed" else ""
    return f"{begin}.{more} Outside: {'; '.join(names)}"


def _name(one: calibration.Check) -> str:
    q = one.quantity
    return q.panel if q.panel.endswith(q.what) else f"{q.panel}, {q.what}"


def _place(one: calibration.Check) -> str:
    q = one.quantity
    if np.isnan(q.x):
        return ""
    if q.x_unit == "s":
        return f"{1e9 * q.x:.3g} ns"
    return f"{q.x:.3f} {q.x_unit}" if q.x_unit else f"{q.x_name} {q.x:.0f}"


def _text(value: float, unit: str) -> str:
    shown = handy_unit(unit)[0] * value
    return f"{shown:.3g}" if abs(shown) >= 0.1 else f"{shown:.2g}"


TOP = 0.95  # quantile of the reads after SETs, which a few stuck cells do not reach
FEWEST_DRAWS, MOST_DRAWS = 40, 9999  # fewer cannot tell that a number is outside


def calibrate(
    runs: Runs,
    to: Annotated[Path, typer.Option(*TO, help="the preset file to write (.toml)", show_default=False)],
    base: Annotated[
        str,
        typer.Option(
            help="the packaged preset that the chip is nearest to", autocompletion=lambda: list(CELL_PRESETS)
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
        from mho.analysis.figures import check_picture  # loads HDF5

        check_picture(figure)
    kept_out = [*(hold_out or [])]
    twice = {one.resolve() for one in runs} & {one.resolve() for one in kept_out}
    if twice:
        raise InputError(f"{min(twice).name} is to be fitted and held out; name it once")

    calibration.check_one_chip([*runs, *kept_out])
    try:
        fit, evidence = _fitted(runs, kept_out, base, to)
    except KeyboardInterrupt:
        raise Aborted(f"stopped: {to} is not written") from None
    names = [run.name for run in runs]
    console = Terminal(soft_wrap=True)
    print_calibration(fit, evidence, console)
    state, says = "none", "stopped before they were done" if checks else "left out, --checks 0"
    try:
        if checks:
            plain = calibration.as_preset_file(fit, to.stem, names, evidence.estimates)
            state, says = _hold_to(runs, kept_out, plain, checks, seed, to, figure)
    except Aborted:
        raise
    except MhoError as error:
        says = str(error)
        raise
    finally:  # with what came of the checks, whatever it was
        with whole_file(to, advice="; choose another --to") as draft:
            draft.write_text(
                calibration.as_preset_file(fit, to.stem, names, evidence.estimates, state, says), "utf-8"
            )
    say(to)


def _fitted(
    runs: list[Path], beside: list[Path], base: str, to: Path
) -> tuple[calibration.Calibration, calibration.GatheredEvidence]:
    """Return what pulses and the other experiments tell."""
    if ":" in base:
        raise InputError(
            f"--base {base} is a law of one's own, whose numbers are not fitted: calibrate fits those of mho's own "
            f"laws, about {', '.join(CELL_PRESETS)}"
        )
    if base not in CELL_PRESETS:
        raise InputError(f"--base {base}: no packaged preset; there are {', '.join(CELL_PRESETS)}")
    if to.stem in CELL_PRESETS:
        raise InputError(
            f"--to {to}: {to.stem} is the name of a packaged preset; choose another, such as mychip.toml"
        )
    preset = asdict(CELL_PRESETS[base])
    columns = calibration.read_records(runs).columns
    data = calibration.transitions_of(columns, preset)
    if data.sets.count:
        maxima = {name: one.maximum for name, one in CELL_PRESETS.items()}
        calibration.check_range(float(np.quantile(data.sets.after[data.sets.live], TOP)), base, maxima)
    evidence = calibration.told_beyond_pulses(runs, data, preset, beside)
    about = dict(preset)
    for one in evidence.estimates:  # reads scatter as they were seen to
        about |= {one.name: one.value, **one.beside}
    return calibration.calibrate(
        calibration.transitions_of(columns, about), base, about, lambda what: say(what, err=True)
    ), evidence


def _hold_to(
    runs: list[Path], held_out: list[Path], text: str, draws: int, seed: int, to: Path, figure: Path | None
) -> tuple[str, str]:
    """Repeat the runs on chips drawn from the preset, and print and draw what comes out beside what was measured.

    Returned is the state of the checks, and what came of them in words.
    """
    try:
        with Stages() as bars:
            checks = calibration.check_runs(
                runs, text, draws, held_out=held_out, seed=seed,
                progress=lambda done, total: bars.show(f"chips drawn from {to.name}", done, total),
            )  # fmt: skip
    except KeyboardInterrupt:
        raise Aborted(f"stopped: {to} is written, as a preset that was not checked") from None
    print_checks(checks, Terminal(soft_wrap=True))
    if figure is not None and checks.checks:
        say(calibration.save_checks(checks, f"{to.stem}: measured beside {draws} drawn chips", figure))
    return checks.state, checks.says


def _check_writable(to: Path, force: bool) -> None:
    """Raise unless the preset file can be written: before minutes of work, not after."""
    if to.suffix != ".toml":
        raise InputError(f"--to {to}: a preset file ends with .toml, such as mychip.toml")
    if to.is_dir() or not to.parent.is_dir() or not os.access(to.parent, os.W_OK):
        raise InputError(f"--to {to} cannot be written; name a file in a folder that is there and yours")
    if to.exists() and not force:
        raise InputError(f"--to {to} exists already; name another, or --force to replace it")
