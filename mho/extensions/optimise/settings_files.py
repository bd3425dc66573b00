"""The settings file: a policy's settings as ``[write_verify]`` of TOML, and ``[prediction]``, what they are to take.

``mho run program --write-verify FILE`` takes it, and its first section may be pasted into a chip map.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from mho.errors import InputError
from mho.extensions.optimise.policies import ProgrammingPolicy
from mho.extensions.optimise.predictions import GainEstimate, Prediction
from mho.toml import toml_value
from mho.whole_files import whole_file


def check_writable(path: Path, force: bool = False) -> None:
    """Raise `InputError` where a settings file could not be written, or is there already and not to be replaced."""
    if path.suffix != ".toml":
        raise InputError(f"--to {path}: name a file that ends in .toml, which --write-verify knows it by")
    if path.is_dir():
        raise InputError(f"--to {path} is a folder; name a file in it")
    if path.exists() and not force:
        raise InputError(f"--to {path} is there already; replace it with --force, or name another file")
    if not path.parent.is_dir():
        raise InputError(f"--to {path}: there is no folder {path.parent}; make it first")
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        partial.touch()
        partial.unlink()
    except OSError as error:
        raise InputError(
            f"--to {path} cannot be written ({error.strerror}); name a place that you may write to"
        ) from None


def write_settings(policy: ProgrammingPolicy, path: Path, force: bool = False) -> None:
    """Write the settings of a policy and the prediction.

    Raises
    ------
    InputError
        As `check_writable`; and for a policy that did not reach the required success.
    """
    check_writable(path, force)
    if not policy.reached:
        raise InputError(f"{path} was not written: the settings do not reach a success of {policy.wanted:g}")
    with whole_file(path) as draft:
        draft.write_text(settings_file_text(policy), "utf-8")


def settings_file_text(policy: ProgrammingPolicy) -> str:
    """Return the text of the file."""
    own = f" --strategy {policy.strategy}" if ":" in policy.strategy else ""
    lines = [
        f"# Found by `mho optimise {policy.strategy}`; mho run program DIGITS{own} --write-verify THIS_FILE runs with it,",
        "# and mho optimise THIS_FILE --compare RUN.h5 holds that run to the prediction. SI units.",
        "",
        "[write_verify]",
    ]
    lines += [f"{name} = {toml_value(value)}" for name, value in policy.settings if value != ()]
    lines += ["", "[prediction] # of a cell, by digit; success: share of the cells in their windows"]
    lines += [f"{name} = {toml_value(value)}" for name, value in facts(policy).items()]
    return "\n".join(lines) + "\n"


def facts(policy: ProgrammingPolicy) -> dict[str, Any]:
    """Return what the section ``[prediction]`` says."""
    twin = policy.twin
    prediction = Prediction.of(policy.after, len(twin.levels.nominal), twin.passes)
    return {
        "strategy": policy.strategy, "bench": twin.source.bench.name, "preset": twin.draws.preset.name,
        "drawn": list(twin.draws.names), "seed": twin.seed, "cost": policy.cost,
        "wanted_success": policy.wanted, "after": twin.after, "cells": len(policy.after[0].digits),
        **{f"{name}_saved": _ends(policy.saved(name)) for name in ("pulses", "reads", "time")},
        **prediction.plain(),
    }  # fmt: skip


def _ends(one: GainEstimate) -> list[float]:
    return [float(f"{value:.3g}") for value in (one.low, one.mean, one.high)]
