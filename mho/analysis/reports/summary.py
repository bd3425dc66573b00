"""Summarises a run file in a few numbers and words, for any procedure and however the run ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from mho.analysis.reports.cells import ArrayCells, read_arrays, read_chip
from mho.analysis.reports.convergence import Convergence, read_convergence
from mho.analysis.reports.worth import worth_rows
from mho.chip_maps.levels import Levels
from mho.errors import RunFileError
from mho.runs import GOING_ON, Conclusion, LogEntry, RecordedParameter, RunFile, Status, outcome_line
from mho.runs.index import plain_results
from mho.toml import load_toml


@dataclass(frozen=True)
class BenchFacts:
    """The bench a run was made on."""

    name: str  # as its file says; empty when the run file holds no bench that can be read
    preset: str | None  # cell preset of a simulated bench, None for a real one
    circuit: str = ""  # elements of a user's own in its circuits


@dataclass(frozen=True)
class ArrayFacts:
    """The result of programming one array."""

    name: str
    cells: int  # in use
    programmed: int  # those of them read at least once
    pulses: int | None  # pulses of all cells; None when not recorded
    outside: int | None  # programmed cells that read outside their verify window; None without a chip map
    error_mean: float | None  # achieved minus wanted conductance of programmed cells, S; None without any
    error_sd: float | None  # likewise


@dataclass(frozen=True)
class Summary:
    """A run in brief, finished or not.

    Attributes
    ----------
    path : Path
    title, procedure, version : str
    status, reason : Status, str
        How it stands or ended, and why.
    start, duration : datetime, float or None
        Duration in s from start to end, or until now while it runs; None for an interrupted run.
    parameters : mapping of str to RecordedParameter
    bench : BenchFacts
    seed : int or None
        Of everything random.
    chip : str
        Name of the chip; empty without a chip map.
    labels : mapping of str to str
        Sample, operator and project, those that were given.
    after : str
        The run file whose simulated chip this run went on with; empty for a fresh one.
    arrays : tuple of ArrayFacts
        Empty for a run that programs nothing.
    convergence, converged : Convergence or None, bool or None
        None for a run that refines nothing, or before it is known.
    reason_not_converged : str
        Why a solve ended before; empty where it converged, and of older versions.
    proved_bits, asked_bits : float or None
        Bits that a solve's certificate proves, None where there is none, and those that were asked for.
    enclosure : mapping
        What a solve's proved enclosure came to; empty where none was asked for.
    encoding : str
        How INV held the matrix; empty before it is known.
    mvm_outputs, mvm_wrong : int or None
        Integers read by MVM so far, and the wrong ones of them; None when not recorded.
    worth : tuple of pairs of str
        Of a solve's chip, as `worth_rows`; empty where it is not said.
    bench_seconds : float or None
        Time that passed on the bench, s.
    conclusion : Conclusion or None
        None in files of older versions.
    warnings : tuple of LogEntry
        What was logged above INFO.
    result, result_units : mappings by name
        What the procedure returned, its numbers and words, see `mho.runs.index.card.plain_results`; units of those that
        have one.
    contents : mapping of str to int
        Rows or images by the name of each table and map (as ``maps/NAME``).

    Examples
    --------
    >>> result = mho.run(mho.Read(rows="0:2", columns="0:2"), "arrays", seed=1)
    >>> with mho.open_run(result.path) as run:
    ...     summary = mho.summarise(run)
    >>> summary.procedure, summary.seed, summary.contents["reads"], summary.converged
    ('Read', 1, 4, None)
    """

    path: Path
    title: str
    status: Status
    reason: str
    start: datetime
    duration: float | None
    procedure: str
    version: str
    parameters: Mapping[str, RecordedParameter]
    bench: BenchFacts
    seed: int | None
    chip: str
    labels: Mapping[str, str]
    after: str
    arrays: tuple[ArrayFacts, ...]
    convergence: Convergence | None
    converged: bool | None
    reason_not_converged: str
    proved_bits: float | None
    asked_bits: float | None
    enclosure: Mapping[str, Any]
    encoding: str
    mvm_outputs: int | None
    worth: tuple[tuple[str, str], ...]
    mvm_wrong: int | None
    bench_seconds: float | None
    conclusion: Conclusion | None
    warnings: tuple[LogEntry, ...]
    result: Mapping[str, bool | int | float | str | None]
    result_units: Mapping[str, str]
    contents: Mapping[str, int]

    @property
    def outcome(self) -> str:
        """How the run stands or ended, in one line."""
        return outcome_line(self.status, self.reason, self.conclusion)

    @property
    def concluding_warnings(self) -> tuple[str, ...]:
        """Warnings of the conclusion that the log does not have."""
        logged = {" ".join(entry.message.split()) for entry in self.warnings}
        declared = () if self.conclusion is None else self.conclusion.warnings
        return tuple(one for one in declared if not any(said.startswith(one.rstrip("…")) for said in logged))


def summarise(run: RunFile) -> Summary:
    """Return the summary of `run` so far: finished, running or interrupted, with or without a summary in the file.

    Parameters
    ----------
    run : Run or RunFile
        An open one.

    Returns
    -------
    Summary

    Raises
    ------
    RunFileError
        The file is damaged.

    Examples
    --------
    >>> result = mho.run(mho.Read(rows="0:2", columns="0:2"), "arrays", seed=1)
    >>> with mho.open_run(result.path) as run:
    ...     summary = mho.summarise(run)
    >>> str(summary.status), summary.contents["reads"], summary.result_units["mean_conductance"]
    ('finished', 4, 'S')
    """
    chip = read_chip(run)
    levels = None if chip is None else chip.level_scale()
    result = run.summary
    status = run.status
    mvm_outputs, mvm_wrong = _count_products(run)
    contents = {name: run.length(name) for name in run.tables}
    contents |= {f"maps/{name}": len(run.map_times(name)) for name in run.maps}
    end = datetime.now().astimezone() if status in GOING_ON else run.end_time
    return Summary(
        path=run.path, title=run.title, status=status, reason=run.reason, start=run.start_time,
        duration=None if end is None else (end - run.start_time).total_seconds(), procedure=run.procedure,
        version=run.version, parameters=run.parameters, bench=read_bench(run), seed=run.seed,
        chip="" if chip is None else chip.name, labels=run.labels, after=run.provenance.get("after", ""),
        arrays=tuple(_array_facts(cells, levels) for cells in read_arrays(run)), convergence=read_convergence(run),
        converged=_typed(result, "converged", bool), reason_not_converged=str(result.get("reason", "")),
        proved_bits=_typed(result, "bits", int, float) if "certificate" in result else None,
        asked_bits=_typed(result, "bits_asked", int, float), enclosure=_typed(result, "enclosure", dict) or {},
        encoding=str(result.get("encoding", "")), mvm_outputs=mvm_outputs, worth=tuple(worth_rows(result)),
        mvm_wrong=mvm_wrong, bench_seconds=_typed(result, "virtual_seconds", int, float), conclusion=run.conclusion,
        warnings=tuple(entry for entry in run.log() if entry.level not in ("DEBUG", "INFO")),
        result=plain_results(result), result_units=run.result_units, contents=contents,
    )  # fmt: skip


def read_description(text: str) -> dict[str, Any]:
    """Return what a bench file or chip map in a run file says; nothing where it cannot be read."""
    try:
        return load_toml(text, "a file", RunFileError)
    except RunFileError:
        return {}


def read_bench(run: RunFile) -> BenchFacts:
    """Return name and, for a simulated bench, cell preset of the bench that `run` was made on."""
    text = read_description(run.bench)
    simulation, preset = text.get("simulation"), None
    if isinstance(simulation, dict):  # the one in use may have been chosen on the command line
        preset = run.provenance.get("preset") or simulation.get("preset", "")
    return BenchFacts(str(text.get("name", "")), preset, run.provenance.get("circuit", ""))


def _array_facts(cells: ArrayCells, levels: Levels | None) -> ArrayFacts:
    error = cells.error[cells.programmed]
    pulses = cells.pulses[cells.used]
    return ArrayFacts(
        cells.name,
        cells=int(cells.used.sum()),
        programmed=error.size,
        pulses=int(np.nansum(pulses)) if np.isfinite(pulses).any() else None,
        outside=None if levels is None else int(cells.outside(levels).sum()),
        error_mean=float(error.mean()) if error.size else None,
        error_sd=float(error.std()) if error.size else None,
    )


def _count_products(run: RunFile) -> tuple[int | None, int | None]:
    """MVM integers read, and the wrong ones of them."""
    if "cycles" in run.tables and {"mvm_outputs", "mvm_wrong"} <= set(run.units("cycles")):
        outputs, wrong = (run.column("cycles", name) for name in ("mvm_outputs", "mvm_wrong"))
        return int(outputs.sum()), int(wrong.sum())
    result = run.summary
    return _typed(result, "mvm_outputs", int), _typed(result, "mvm_wrong", int)


def _typed(result: Mapping[str, Any], name: str, *kinds: type) -> Any:
    """Return a value of the summary in the file; None where its type is another than mho writes."""
    value = result.get(name)
    return value if isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool)) else None
