"""Goes on with the simulated chip that an earlier run left, or with the rest of a run, or repeats a run and compares.

A run file does not hold the state of a chip (millions of cells, their histories, the generators behind their noise), but
what reproduces it: the run and those before it are repeated, and the same seed gives the same run.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mho.errors import Aborted, InputError, MhoError
from mho.instruments import Bench
from mho.instruments.opening import open_simulated
from mho.procedures.stream import Control, Event, Observer, Progress, Started
from mho.running import phases
from mho.running.recipe import RunRecipe, read_recipe
from mho.running.trust import Trust, deny_all
from mho.runs import RunFile, Status, runs_folder
from mho.runs.integrity import Change, DatasetComparison, compare_runs, compare_surroundings


def chip_after(path: str | Path, bench: str | None = None, trust: Trust = deny_all) -> phases.Opener:
    """Return the opener of the simulated bench of the run in the file at `path`, its chip as that run left it.

    The run's observers get the progress of the repetition, and the run's control may pause and stop it.

    Parameters
    ----------
    path : path-like
        A finished run on a simulated bench. If it went on from another run itself, that one is repeated before it.
    bench : str, optional
        Name under which the bench is wanted; another one than the run's is refused.
    trust : callable
        Asked for code that the files name and that is none of mho's own, see `mho.running.trust`.

    Raises
    ------
    RunFileError
        When a file cannot be read, or is not as its run wrote it.
    InputError
        When there is no going on from this run: real instruments, not finished, on another bench, code that is not
        trusted; when it opens, also where it comes out differently now.
    """
    last = read_recipe(Path(path), trust)
    if bench is not None and last.bench and bench != last.bench:
        raise InputError(
            f"{path} was made on bench {last.bench}, not on {bench}; choose that bench to go on with its chip"
        )
    return _opener(_chain(last, trust), bench or "")


def chip_before(recipe: RunRecipe, trust: Trust = deny_all) -> phases.Opener:
    """Return the opener of a run's bench, its chip as that run found it: fresh, or as an earlier run had left it."""
    # Now: code is looked for in the current folder, not in the run's.
    if before := _chain(recipe, trust)[:-1]:
        return _opener(before, recipe.bench, is_observed=False)

    @contextmanager
    def opener(opening: phases.Opening) -> Iterator[phases.OpenedBench]:
        with open_simulated(recipe.source, recipe.preset, recipe.chip_seed) as opened:
            yield phases.OpenedBench(opened, {"bench": recipe.bench} if recipe.bench else {})

    return opener


def chip_at_interruption(recipe: RunRecipe, trust: Trust = deny_all) -> phases.Opener:
    """Return the opener of a run's bench, its chip as that run left it, however it ended.

    How far an interrupted run came is what its file holds: the run is repeated up to its last row.
    """
    return _opener(_chain(recipe, trust, taken_up=True), recipe.bench)


def _opener(chain: Sequence[_Link], bench: str, *, is_observed: bool = True) -> phases.Opener:
    """Return the opener of the bench on which all runs of a chain were repeated, under the name `bench`."""
    last = chain[-1].recipe
    notes = {"after": str(last.path), "after_run": last.run_id} | ({"bench": bench} if bench else {})

    @contextmanager
    def opener(opening: phases.Opening) -> Iterator[phases.OpenedBench]:
        opening.check(last.source)  # before all those runs are repeated
        with _replayed(chain, opening if is_observed else None) as opened:
            yield phases.OpenedBench(opened, notes)

    return opener


@dataclass(frozen=True)
class _Link:
    """One of the runs on a chip, and whether the next one took it up where it was cut short."""

    recipe: RunRecipe
    taken_up: bool

    @property
    def cut(self) -> phases.Cut | None:
        """Where the run was cut short; None for one that is repeated to its end."""
        table = self.recipe.kind.cell_record
        if not (self.taken_up and table) or self.recipe.status is Status.FINISHED:
            return None
        return phases.Cut(self.recipe.path, table)


def _chain(last: RunRecipe, trust: Trust, *, taken_up: bool = False) -> list[_Link]:
    """Return the runs on the chip of `last`, the one that started with a fresh chip first."""
    chain = [_Link(last, taken_up)]
    while (path := (first := chain[0].recipe).after) is not None:
        if not path.is_file():
            raise InputError(
                f"{first.path} went on with the chip that {path} left, and that file is gone; put it back"
            )
        earlier = read_recipe(path, trust)
        if earlier.run_id != first.after_run or earlier.run_id in (one.recipe.run_id for one in chain):
            raise InputError(
                f"{first.path} went on with the chip that {path} left, and that file holds another run now; put "
                "the first one back"
            )
        resumed = first.resume_of
        chain.insert(0, _Link(earlier, resumed is not None and resumed.resolve() == earlier.path))
    return chain


@contextmanager
def _replayed(chain: Sequence[_Link], opening: phases.Opening | None) -> Iterator[Bench]:
    """Yield a bench on which the runs were repeated; progress and control are those of `opening`, where there is one."""
    observers, control = ((), None) if opening is None else (opening.observers, opening.control)
    cuts = [link.cut for link in chain]
    for link, cut in zip(chain, cuts, strict=True):
        recipe = link.recipe
        if recipe.status is not Status.FINISHED and cut is None:
            raise InputError(
                f"{recipe.path} is {recipe.status}: how far it came cannot be repeated, so nothing can go on with its "
                "chip; choose a finished run"
            )
    first = chain[0].recipe
    with (
        open_simulated(first.source, first.preset, first.chip_seed) as opened,
        tempfile.TemporaryDirectory(prefix="mho-") as folder,
    ):
        for number, (link, cut) in enumerate(zip(chain, cuts, strict=True)):
            if cut is None or cut.rows:  # else nothing that it may have done to a cell is known
                copy = Path(folder) / f"{number}.h5"
                _replay(link.recipe, opened, copy, observers, control, cut)
            else:
                opened.damage.begin()
            phases.note_left(opened, link.recipe.path)
        yield opened


def _replay(
    recipe: RunRecipe,
    bench: Bench,
    copy: Path,
    observers: Sequence[Observer],
    control: Control | None,
    cut: phases.Cut | None,
) -> None:
    def tell(event: Event) -> None:
        if isinstance(event, Progress):
            for observer in observers:
                observer(Progress(f"repeating {recipe.path.name}: {event.stage}", event.done, event.total))

    opener = phases.with_earlier(recipe.resume_of, phases.already_open(bench))
    with recipe.procedure() as procedure, suppress(phases.CutShort):
        phases.carry_out(
            procedure, opener, seed=recipe.seed, output=copy, observers=[tell], control=control, cut=cut,
        )  # fmt: skip
    if cut is not None:
        cut.check_equal(copy)
        return
    for one in compare_runs(recipe.path, copy, with_additions=True):
        if not one.equal:
            raise InputError(
                f"nothing can go on with the chip of {recipe.path}: repeated here it comes out differently ({one.name}: "
                f"{one.difference}); `mho rerun` says what has changed since"
            )


def resume(
    path: str | os.PathLike[str],
    *,
    output: str | os.PathLike[str] | None = None,
    observers: Sequence[Observer] = (),
    control: Control | None = None,
    trust: Trust = deny_all,
) -> Any:
    """Carry out the rest of the run in the file at `path`, and return the result of all of it, `path` filled in.

    `path`: an ended run on a simulated bench, however it ended. On real instruments the run is started again,
        with ``resume_of`` of `mho.run`.
    `output`, `observers`, `control`: as for `mho.run`.
    `trust`: asked for code that the file names and that is none of mho's own, see `mho.running.trust`.
    `RunFileError` where the file cannot be read, or is not as its run wrote it; `InputError` where the run
    cannot be gone on with: real instruments, still running, an input that is nowhere to be had, code that is
    not trusted.
    """
    recipe = read_recipe(Path(path), trust)
    chip = chip_at_interruption if recipe.kind.cell_record else chip_before
    opener = phases.with_earlier(recipe.path, chip(recipe, trust))
    return _again(recipe, opener, output, observers, control)


def _again(
    recipe: RunRecipe,
    opener: phases.Opener,
    output: str | os.PathLike[str] | None,
    observers: Sequence[Observer],
    control: Control | None = None,
    provenance: Mapping[str, str] | None = None,
) -> Any:
    # From this folder, not from the run's.
    target = runs_folder(output).resolve()
    with recipe.procedure() as procedure:
        return phases.carry_out(
            procedure, opener, seed=recipe.seed, output=target, observers=observers, control=control,
            provenance=provenance,
        )  # fmt: skip


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
    begun: list[Path] = []

    def notice(event: Event) -> None:
        if isinstance(event, Started):
            begun.append(event.path)

    opener = phases.with_earlier(recipe.resume_of, chip_before(recipe, trust))
    try:
        _again(recipe, opener, output, (notice, *observers), provenance={"rerun_of": recipe.run_id})
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
