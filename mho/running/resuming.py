"""Goes on with a run on a simulated bench that was killed, aborted or failed, from its file alone.

The results in the file are the procedure's to take over (`stream.earlier`): of a solve the right-hand sides that it had
answered. The chip is as that run found it, and the same seed programs it alike. A procedure that records all that it does
to cells, as `Program`, finds them in the state of the last row of its file (`Procedure.cell_record`).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mho.procedures.stream import Control, Observer
from mho.running.continuing import as_cut_short, as_found_by
from mho.running.openers import taking_up
from mho.running.phases import carry_out
from mho.running.recipe import read_recipe
from mho.running.trust import Trust, deny_all
from mho.runs import new_run_path


def resume(
    path: str | os.PathLike[str],
    *,
    output: str | os.PathLike[str] | None = None,
    observers: Sequence[Observer] = (),
    control: Control | None = None,
    trust: Trust = deny_all,
) -> Any:
    """Carry out the rest of the run in the file at `path`, and return the result of all of it, `path` filled in.

    Parameters
    ----------
    path : path
        An ended run on a simulated bench, however it ended. On real instruments the run is started again, with
        ``resume_of`` of `mho.run`.
    output, observers, control
        As for `mho.run`.
    trust : callable
        Asked for code that the file names and that is none of mho's own, see `mho.running.trust`.

    Raises
    ------
    RunFileError
        The file cannot be read, or is not as its run wrote it.
    InputError
        The run cannot be gone on with: real instruments, still running, an input that is nowhere to be had, code that
        is not trusted.
    """
    recipe = read_recipe(Path(path), trust)
    # From this folder, not from the run's.
    target = new_run_path(recipe.kind.__name__.lower(), output).resolve()
    chip = as_cut_short if recipe.kind.cell_record else as_found_by
    opener = taking_up(recipe.path, chip(recipe, trust))
    with recipe.procedure() as procedure:
        return carry_out(
            procedure, opener, seed=recipe.seed, output=target, observers=observers, control=control
        )
