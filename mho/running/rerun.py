"""Repeats a run on a simulated bench from its file alone, and compares what comes out, bit for bit."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mho.errors import Aborted, MhoError
from mho.procedures.stream import Event, Observer, Started
from mho.running.continuing import chip_before
from mho.running.phases import carry_out, with_earlier
from mho.running.recipe import read_recipe
from mho.running.trust import Trust, deny_all
from mho.runs import RunFile, Status, new_run_path
from mho.runs.integrity import Change, DatasetComparison, compare_runs, compare_surroundings


@dataclass(frozen=True)
class Rerun:
    """The outcome of repeating a run."""

    original: Path  # run file
    path: Path  # run file of the repetition
    remarks: tuple[str, ...]  # what was not as it was: an input file that is gone, another bench file
    changes: tuple[Change, ...]  # what surrounds the runs and differs: version of mho, code, packages
    compared: tuple[DatasetComparison, ...]  # every dataset of the two

    @property
    def equal(self) -> bool:
        """Whether the run was reproduced: bit for bit, and for digital computations within their tolerance."""
        return all(one.equal for one in self.compared)


def rerun(
    path: str | os.PathLike[str],
    *,
    output: str | os.PathLike[str] | None = None,
    observers: Sequence[Observer] = (),
    trust: Trust = deny_all,
) -> Rerun:
    """Repeat the run in the file at `path` and compare the two.

    `trust`: asked for code that the file names and that is none of mho's own, see `mho.running.trust`.
    `RunFileError` where the file cannot be read, or is not as its run wrote it; `InputError` where the run
    cannot be repeated: real instruments, still running, an input that is nowhere to be had, code that is not
    trusted.
    """
    recipe = read_recipe(Path(path), trust)
    target = new_run_path(
        recipe.kind.__name__.lower(), output
    ).resolve()  # from this folder, not from the run's
    begun: list[Path] = []

    def notice(event: Event) -> None:
        if isinstance(event, Started):
            begun.append(event.path)

    opener = with_earlier(recipe.resume_of, chip_before(recipe, trust))
    with recipe.procedure() as procedure:
        try:
            carry_out(
                procedure, opener, seed=recipe.seed, output=target, observers=(notice, *observers),
                provenance={"rerun_of": recipe.run_id},
            )  # fmt: skip
        except Aborted:
            raise
        except MhoError:
            # The first run may have ended so too: the comparison tells.
            if not begun:
                raise
    repeated = begun[0].resolve()
    with RunFile(recipe.path) as file:
        restated = recipe.kind.restated_since(file.version)
    with RunFile(repeated) as again:
        changes = compare_surroundings(recipe.provenance, again.provenance)
    cut_short = recipe.status in (Status.ABORTED, Status.INTERRUPTED)
    compared = compare_runs(
        recipe.path, repeated, as_far_as_first=cut_short, with_additions=True, restated=restated
    )
    return Rerun(recipe.path, repeated, recipe.remarks, changes, compared)
