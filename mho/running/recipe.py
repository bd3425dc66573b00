"""Reads from a run file everything that is needed to repeat the run on a simulated bench.

An input file is read again if it is still what it was; otherwise its values are taken from the array of the same name. A
file that was changed is refused, and code that it names is imported as `mho.running.trust` says.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mho.errors import InputError, MhoError
from mho.instruments import bench_file
from mho.instruments.simulated import Cells, own_code_of
from mho.own_code import import_named, name_of, source_of
from mho.procedures.base import Procedure
from mho.procedures.catalogue import find_procedure
from mho.running.phases import UNKEPT
from mho.running.trust import (
    Trust,
    check_code,
    check_unchanged,
    circuit_code,
    circuit_here,
    code_here,
    deny_all,
    name_here,
    preset_here,
    preset_of,
)
from mho.runs import GOING_ON, RecordedParameter, RunFile, Status
from mho.runs.index import read_card
from mho.runs.provenance import file_hash, is_file
from mho.toml import parse_toml


@dataclass(frozen=True)
class RunRecipe:
    """One run, ready to be repeated."""

    path: Path  # the run file
    run_id: str  # its identity, which it keeps wherever it goes
    status: Status  # how the run ended
    source: bench_file.BenchSource  # the simulated bench that the file describes
    bench: str  # the name it had, "" for none
    preset: Cells | None  # the simulated cells
    chip_seed: int  # of the simulated cells
    kind: type[Procedure]  # the procedure
    values: dict[str, Any]  # its parameters
    seed: int  # of its plan
    after: Path | None  # the run that had left the chip as this one found it; None for a fresh chip
    after_run: str  # its identity
    folder: str  # where relative paths among the parameters start
    # what is not as it was, the source of a user's own procedure first: an input file that is gone, a bench
    # file that says something else now
    remarks: tuple[str, ...]
    provenance: dict[str, str]  # as the file has it

    @property
    def resume_of(self) -> Path | None:
        """The run whose results this one took over; None for none."""
        earlier = self.provenance.get("resume_of", "")
        return Path(self.folder, earlier) if earlier else None

    @contextlib.contextmanager
    def procedure(self) -> Iterator[Procedure]:
        """Yield the procedure, in the folder in which the run was started."""
        with _in_folder(self.folder):
            yield self.kind(**self.values)


def read_recipe(path: Path, trust: Trust = deny_all, *, real: bool = False) -> RunRecipe:
    """Read what it takes to repeat the run in the file at `path`.

    `trust`: asked for a procedure or driver that the file names and that is none of mho's own.
    `real`: take a run on real instruments as well, for whoever puts a twin in the place of its bench.
    `RunFileError` where the file cannot be read, or is not as its run wrote it; `InputError` where the run
    cannot be repeated: real instruments, still running, an input that is nowhere to be had, code that is not
    trusted.
    """
    path = path.resolve()
    with RunFile(path) as file:
        status, provenance = file.status, file.provenance
        if status in GOING_ON:
            raise InputError(f"{path} is still running; repeat it when it is over")
        if not file.bench.strip():
            raise InputError(
                f"{path} was not made on a bench ({file.procedure}), so there is nothing to repeat"
            )
        check_unchanged(path)
        names = check_code(file, trust)
        source = _bench_of(file, real)
        seed, chip_seed = file.seed, file.chip_seed
        if seed is None:
            raise InputError(f"{path} does not say its seed, so it cannot be repeated")
        if UNKEPT in provenance:
            raise InputError(
                f"{path} cannot be repeated: its chip was used before by {provenance[UNKEPT]}, of which no file keeps what "
                "it did (of a run without one, output=None; of touches, their time); give these a bench of their own"
            )
        folder, bench = provenance.get("folder", ""), provenance.get("bench", "")
        kind = find_procedure(name_here(names.procedure))
        if (
            kind.__module__ == "mho.running.by_hand"
        ):  # what was asked of it is in no file but those of its acts
            raise InputError(
                f"{path} is a session by hand, which cannot be repeated; name the run file of its last act"
            )
        changed = _source_differs(file, kind)
        # Without a name of its own a run has the cells of its bench file, which may name code, too.
        preset = preset_here(preset_of(file) or source.kind_of_cells)
        changed += _sources_differ(provenance, "cells", own_code_of(preset), "the cells' own")
        if circuit := circuit_here(provenance.get("circuit_file", "")):
            changed += _sources_differ(provenance, "circuit", circuit_code(circuit), "the circuit's own")
            source = bench_file.with_circuit(source, circuit)
        values, remarks = _parameters_of(file)
        values = kind.from_version(file.version, values)
    values |= {name: code_here(name, str(values[name])) for name in names.named}
    after = provenance.get("after", "")
    return RunRecipe(
        path=path, run_id=read_card(path).facts.run_id, status=status, source=source, bench=bench,
        preset=preset or None,
        chip_seed=seed if chip_seed is None else chip_seed, kind=kind, values=values, seed=seed,
        after=Path(after) if after else None, after_run=provenance.get("after_run", ""), folder=folder,
        remarks=(*changed, *remarks, *_bench_file_differs(bench, source)), provenance=provenance,
    )  # fmt: skip


def _bench_of(file: RunFile, real: bool) -> bench_file.BenchSource:
    """Return the bench and chip that the run file itself describes; imports the drivers that it names."""
    with bench_file.modules_beside(Path()):
        bench = parse_toml(file.bench, bench_file.BenchFile, f"bench file in {file.path}", InputError)
    if bench.simulation is None and not real:
        raise InputError(
            f"{file.path} was made on real instruments ({bench.name}): cells are never twice the same, so only "
            "runs on simulated benches are repeated; run the procedure again instead"
        )
    bench_file.read_chip_text(file.chip, f"in {file.path}")  # said now, when it is known where it stands
    return bench_file.BenchSource(
        bench=bench, text=file.bench, chip_text=file.chip, defects_text=file.defects
    )


def _source_differs(file: RunFile, kind: type[Procedure]) -> list[str]:
    """Return a remark when a user's own procedure is another one now: any difference in the data may come from that."""
    now = source_of(kind)
    if not file.source or file.source == now:
        return []
    what = "has changed since" if now else "is not to be had any more"
    return [f"the source of {name_of(kind)} {what}: the run is repeated with the code as it is now"]


def _sources_differ(
    provenance: Mapping[str, str], prefix: str, names: tuple[str, ...], whose: str
) -> list[str]:
    """Return remarks on laws of cells or elements of circuits, of a user's own, that are others now."""
    then = {one for name, one in provenance.items() if re.fullmatch(rf"{prefix}_\w+_source", name)}
    now = {source_of(import_named(name, "code")) for name in names}
    if not then or then == now:
        return []
    return [
        f"the source of {whose} {' and '.join(names)} has changed since: the run is repeated with the code as it is now"
    ]


def _parameters_of(file: RunFile) -> tuple[dict[str, Any], list[str]]:
    """Return the values of the run's parameters, and remarks on its input files."""
    folder = file.provenance.get("folder", "")
    hashes = file.input_hashes
    values: dict[str, Any] = {}
    remarks: list[str] = []
    given = file.given
    with _in_folder(folder):
        for name, parameter in file.parameters.items():
            if name not in given:
                continue
            values[name] = given[name]
            trouble = _trouble_with(parameter, hashes.get(name), has_array=name in file.arrays)
            if trouble:
                if name not in file.arrays:
                    raise InputError(
                        f"{file.path} cannot be repeated: {name} {trouble}, and the file does not hold it"
                    )
                values[name] = file.array(name)
                remarks.append(f"{name} {trouble}: its values are taken from the run file")
    return values, remarks


def _trouble_with(parameter: RecordedParameter, known: str | None, *, has_array: bool) -> str:
    """Return why a parameter's value cannot be used as it is; "" when it can."""
    value = parameter.value
    lists = has_array and known is None and str(value).startswith(("[", "(", "<"))  # or a sparse matrix
    if lists or str(value).startswith("array of shape"):
        return "was an array in a script"
    # Older files keep no hashes: there a name with a suffix was a file.
    was_file = known is not None or (has_array and bool(Path(str(value)).suffix))
    if was_file and not is_file(value):
        return f"was read from {value}, which is gone"
    if known is None:
        return ""
    return "" if file_hash(Path(str(value))) == known else f"was read from {value}, which has changed since"


def _bench_file_differs(bench: str, source: bench_file.BenchSource) -> list[str]:
    """Return a remark when the bench that the run names has changed since; the run file's own is used either way."""
    if not bench:
        return []
    try:
        text, chip_text = bench_file.read_bench_texts(bench)
    except MhoError:
        return [f"bench {bench} is gone: the one in the run file is used"]
    return [
        f"the {what} of bench {bench} has changed since: the one in the run file is used"
        for what, one, other in (("file", text, source.text), ("chip map", chip_text, source.chip_text))
        if one != other
    ]


@contextlib.contextmanager
def _in_folder(folder: str) -> Iterator[None]:
    """Change to the folder in which the run was started, if it exists, so that relative paths keep their meaning.

    No module is found there: what the import path has of the current folder stays what it is.
    """
    if not folder or not Path(folder).is_dir():
        yield
        return
    before = list(sys.path)
    sys.path[:] = [os.path.abspath(place) for place in before]
    try:
        with contextlib.chdir(folder):
            yield
    finally:
        sys.path[:] = before
