"""Repeats a run on a simulated bench from its file alone, and compares what comes out, bit for bit.

Seed, bench, chip and parameters are the file's. An input file is read again if it is still what it was;
otherwise its values are taken from the array of the same name as the parameter.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from instruments.bench_file import BenchFile, BenchSource, load_bench_file
from instruments.models import modules_beside
from instruments.opening import open_simulated
from mho_errors import Aborted, InputError, MhoError
from mho_toml import parse_toml
from procedures.base import Procedure
from procedures.catalogue import find_procedure
from procedures.origin import import_procedure
from procedures.runner import run
from procedures.stream import Event, Observer, Started
from runs import Parameter, RunFile, Status, new_run_path
from runs.card import read_card
from runs.comparison import Change, Compared, compare_runs, compare_surroundings
from runs.provenance import file_hash, is_file


@dataclass(frozen=True)
class Rerun:
    """What repeating a run came to.

    Attributes
    ----------
    original, path : Path
        The two run files.
    remarks : tuple of str
        What was not as it was: an input file that is gone, a bench file that says something else now.
    changes : tuple of Change
        What surrounds the runs and differs: version of mho, code, packages.
    compared : tuple of Compared
        Every dataset of the two.
    """

    original: Path
    path: Path
    remarks: tuple[str, ...]
    changes: tuple[Change, ...]
    compared: tuple[Compared, ...]

    @property
    def equal(self) -> bool:
        """Whether the run was repeated bit for bit."""
        return all(one.equal for one in self.compared)


def rerun(
    path: str | os.PathLike[str],
    *,
    output: str | os.PathLike[str] | None = None,
    observers: Sequence[Observer] = (),
) -> Rerun:
    """Repeat the run in the file at `path` and compare the two.

    Parameters
    ----------
    path : path
        A run on a simulated bench, that is over.
    output : path, optional
        Run file or folder, as for `procedures.run`.
    observers : sequence of callables
        As for `procedures.run`.

    Raises
    ------
    RunFileError
        The file cannot be read.
    InputError
        The run cannot be repeated: real instruments, still running, an input that is nowhere to be had.
    """
    path = Path(path).resolve()
    with RunFile(path) as file:
        status, provenance = file.status, file.provenance
        if status is Status.RUNNING:
            raise InputError(f"{path} is still running; repeat it when it is over")
        source = _bench_of(file)
        seed = provenance.get("seed", "")
        if not seed:
            raise InputError(f"{path} does not say its seed, so it cannot be repeated")
        with _in_folder(provenance.get("folder", "")):  # where a procedure of the user's own is
            kind = _kind_of(file)
        values, remarks = _parameters_of(file)
    remarks += _bench_file_differs(provenance.get("bench", ""), source)
    target = new_run_path(kind.__name__.lower(), output).resolve()  # from this folder, not from the run's
    begun: list[Path] = []

    def notice(event: Event) -> None:
        if isinstance(event, Started):
            begun.append(event.path)

    kept = {name: provenance[name] for name in ("bench",) if name in provenance}
    with _in_folder(provenance.get("folder", "")):
        procedure = kind(**values)
        procedure.check()
        with open_simulated(source, provenance.get("preset") or None, int(seed)) as bench:
            try:
                run(
                    procedure,
                    bench,
                    seed=int(seed),
                    output=target,
                    observers=(notice, *observers),
                    provenance=kept | {"rerun_of": read_card(path).facts.run_id},
                )
            except Aborted:
                raise
            except MhoError:
                # The first run may have ended so too: the comparison tells.
                if not begun:
                    raise
    repeated = begun[0].resolve()
    with RunFile(repeated) as again:
        changes = compare_surroundings(provenance, again.provenance)
    compared = compare_runs(path, repeated, as_far_as_first=status in (Status.ABORTED, Status.INTERRUPTED))
    return Rerun(path, repeated, tuple(remarks), changes, compared)


def _bench_of(file: RunFile) -> BenchSource:
    """Return the bench and chip that the run file itself describes."""
    if not file.bench.strip():
        raise InputError(
            f"{file.path} was not made on a bench ({file.procedure}), so there is nothing to repeat"
        )
    with modules_beside(Path(file.provenance.get("bench", "")).parent):  # of a driver of the user's own
        bench = parse_toml(file.bench, BenchFile, f"bench file in {file.path}", InputError)
    if bench.simulation is None:
        raise InputError(
            f"{file.path} was made on real instruments ({bench.name}): cells are never twice the same, so only "
            "runs on simulated benches are repeated; run the procedure again instead"
        )
    return BenchSource(bench=bench, text=file.bench, chip_text=file.chip)


def _kind_of(file: RunFile) -> type[Procedure]:
    named = file.provenance.get("procedure", "")
    return import_procedure(named) if named else find_procedure(file.procedure)


def _parameters_of(file: RunFile) -> tuple[dict[str, Any], list[str]]:
    """Return the values of the run's parameters, and what is to be said of its input files."""
    folder = file.provenance.get("folder", "")
    hashes = dict(line.split(" ", 1) for line in file.provenance.get("inputs", "").splitlines())
    values: dict[str, Any] = {}
    remarks: list[str] = []
    with _in_folder(folder):
        for name, parameter in file.parameters.items():
            if parameter.value is None:
                continue
            values[name] = parameter.value
            trouble = _trouble_with(parameter, hashes.get(name), has_array=name in file.arrays)
            if trouble:
                if name not in file.arrays:
                    raise InputError(
                        f"{file.path} cannot be repeated: {name} {trouble}, and the file does not hold it"
                    )
                values[name] = file.array(name)
                remarks.append(f"{name} {trouble}: its values are taken from the run file")
    return values, remarks


def _trouble_with(parameter: Parameter, known: str | None, *, has_array: bool) -> str:
    """Say why a parameter's value cannot be used as it is; "" when it can."""
    value = parameter.value
    if has_array and str(value).startswith("array of shape"):
        return "was an array in a script"
    # Older files keep no hashes: there a name with a suffix was a file.
    was_file = known is not None or (has_array and bool(Path(str(value)).suffix))
    if was_file and not is_file(value):
        return f"was read from {value}, which is gone"
    if known is None:
        return ""
    return "" if file_hash(Path(str(value))) == known else f"was read from {value}, which has changed since"


def _bench_file_differs(bench: str, source: BenchSource) -> list[str]:
    """Say so when the bench that the run names is another one now; the run file's own is used either way."""
    if not bench:
        return []
    try:
        now = load_bench_file(bench)
    except MhoError:
        return [f"bench {bench} is gone: the one in the run file is used"]
    changed = [
        what
        for what, one, other in (
            ("bench", now.text, source.text),
            ("chip map", now.chip_text, source.chip_text),
        )
        if one != other
    ]
    return [
        f"the {what} of bench {bench} has changed since: the one in the run file is used" for what in changed
    ]


@contextlib.contextmanager
def _in_folder(folder: str) -> Iterator[None]:
    """Be where the run was started, if that place is there, so that relative paths mean what they meant."""
    with contextlib.chdir(folder) if Path(folder or ".").is_dir() and folder else contextlib.nullcontext():
        yield
