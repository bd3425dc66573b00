"""Carries out the plan of a characterisation, step by step, from wherever the run files in its folder stop.

Each step is an ordinary run with a file of its own, ``NN-procedure.h5``: a finished one is kept, any other is put aside and
its step begun again. Experiments visit crossings of rows and columns: a broken cell drops out of the steps after it with
the one of its lines on which more is broken, and another of the sample takes its place where all its crossings are sound.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.analysis.reports import collect_defects
from mho.chip_maps import DefectFinding, load_digits
from mho.errors import Aborted, InputError, MhoError, RunFileError
from mho.extensions.characterise.plan_files import PLAN, joined
from mho.input_files import bench_key
from mho.instruments import Bench
from mho.instruments.bench_file import load_bench_file
from mho.instruments.opening import open_rehearsal
from mho.procedures import (
    CellRange,
    Control,
    Observer,
    Procedure,
    find_procedure,
    load_conditions,
    make_procedure,
)
from mho.running import Opening, PlannedRun, bus_reports, chip_after, load_plan, opener_of, run
from mho.running.queue import own_seconds
from mho.runs import GOING_ON, RunFile, Status

Places = list[int]


def without_broken(broken: NDArray[np.bool_], rows: Places, columns: Places) -> tuple[Places, Places]:
    """Return rows and columns whose crossings are all sound, near the wanted ones in number and place; perhaps none.

    `broken` (m, n): of the whole sample.
    `rows`, `columns`: wanted places in it.
    """
    sound = [list(rows), list(columns)]
    spare = [sorted(set(range(size)) - set(lines)) for size, lines in zip(broken.shape, sound, strict=True)]
    while sound[0] and sound[1]:
        block = broken[np.ix_(*sound)]
        if not block.any():
            return sound[0], sound[1]
        ways = []
        for axis in (0, 1):
            share = block.mean(axis=1 - axis)
            worst = int(share.argmax())
            instead = _sound_spare(broken, spare[axis], sound[1 - axis], axis, sound[axis][worst])
            ways.append((float(share[worst]), instead is not None, axis, worst, instead))
        _, _, axis, worst, instead = max(ways, key=lambda way: way[:2])
        del sound[axis][worst]
        if instead is not None:
            spare[axis].remove(instead)
            sound[axis] = sorted([*sound[axis], instead])
    return [], []


def _sound_spare(
    broken: NDArray[np.bool_], spare: Places, crossing: Places, axis: int, near: int
) -> int | None:
    """Return the spare line nearest to a place whose crossings with others are all sound; None without one."""
    cells = broken if axis == 0 else broken.T
    sound = [line for line in spare if not cells[line, crossing].any()]
    return min(sound, key=lambda line: abs(line - near), default=None)


FINISHED, KEPT, SKIPPED, FAILED = "finished", "kept", "skipped", "failed"
# Procedures whose files tell of broken cells. A cell that write-verify gave up is a result, of a strategy,
# too.
TELLING = ("contact", "form")
# Those that visit every cell of the sample, as a yield is one of all of them
ALL_CELLS = ("contact", "form", "map")
# Gives a run its observers and its control, for as long as it lasts
During = Callable[[PlannedRun], AbstractContextManager[tuple[Sequence[Observer], Control | None]]]


@dataclass(frozen=True)
class StepEnd:
    """How a step came out."""

    planned: PlannedRun
    end: str  # `FINISHED`, `KEPT` (it was finished before), `SKIPPED` or `FAILED`
    reason: str = ""  # of a step that was skipped or failed
    path: Path | None = None  # its run file
    left_out: str = ""  # broken cells of its lines, and what was done about them


class Characterisation:
    """A plan and the folder with its run files.

    `place`: the folder, or the plan in it.
    `bench`: an open bench on which everything is done, instead of that of the plan.
    """

    def __init__(self, place: Path, bench: Bench | None = None) -> None:
        path = place / PLAN if place.is_dir() else place
        self.plan = load_plan(path)
        self.folder = path.parent
        self._bench = bench
        benches = {planned.bench for planned in self.plan.runs}
        if len(benches) > 1:
            raise InputError(
                f"the plan has benches {', '.join(sorted(benches))}; a characterisation is of one chip on one bench"
            )

    def path_of(self, planned: PlannedRun) -> Path:
        """Return where the run file of a step is, or will be."""
        name = find_procedure(planned.procedure).__name__.lower()
        return self.folder / f"{planned.number:02}-{name}.h5"

    def remaining(self) -> list[PlannedRun]:
        """Return the steps that have no finished run file."""
        return [planned for planned in self.plan.runs if not _finished(self.path_of(planned))]

    def carry_out(
        self,
        during: During = lambda planned: nullcontext(((), None)),
        tell: Callable[[StepEnd], None] = lambda end: None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> list[StepEnd]:
        """Carry out what remains; a step that fails is told, and the next one begins.

        `stopping`: whether a failure ends everything: the bench may be live.
        `Aborted`: somebody stopped it. The file of the step says so, and those before are finished.
        """
        ends: list[StepEnd] = []
        with _Chip(self.plan.runs[0], self._bench) as chip:
            for planned in self.plan.runs:
                ends.append(self._step(planned, chip, during, stopping))
                tell(ends[-1])
        return ends

    def _step(
        self, planned: PlannedRun, chip: _Chip, during: During, stopping: Callable[[], bool]
    ) -> StepEnd:
        path = self.path_of(planned)
        if _finished(path):
            chip.keep(path)
            with RunFile(path) as file:
                return StepEnd(planned, KEPT, path=path, left_out=file.provenance.get("left_out", ""))
        try:
            procedure, left_out = self._fitted(planned)
        except MhoError as error:
            return StepEnd(planned, FAILED, str(error))
        if isinstance(procedure, str):
            return StepEnd(planned, SKIPPED, procedure, left_out=left_out)
        earlier = _put_aside(path)
        notes = {"plan": self.plan.name, "step": str(planned.number), "bench": bench_key(planned.bench)}
        notes |= {"left_out": left_out} if left_out else {}
        try:
            with during(planned) as (observers, control):
                run(
                    procedure, chip.bench(observers, control), seed=planned.seed, output=path,
                    observers=observers, control=control,
                    resume_of=earlier if earlier is not None and not chip.simulated else None,
                    same_chip=chip.runs, provenance=notes,
                )  # fmt: skip
        except Aborted:
            raise
        except MhoError as error:
            if stopping():
                raise
            chip.forget()
            begun = path if path.exists() else None
            chip.runs += [path] if begun else []
            return StepEnd(planned, FAILED, str(error), begun, left_out)
        chip.last = path
        chip.runs.append(path)
        return StepEnd(planned, FINISHED, path=path, left_out=left_out)

    def _fitted(self, planned: PlannedRun) -> tuple[Procedure | str, str]:
        """Return the step's procedure on the cells that are sound, or why it has nothing to do; and what was left out."""
        if planned.procedure == "form" and (why := self._nothing_to_form(planned)):
            return why, ""
        values, left_out = self._on_sound_cells(planned)
        if values is None:
            return "no cell of its lines is sound", left_out
        return make_procedure(planned.procedure, values), left_out

    def _before(self, planned: PlannedRun, *procedures: str) -> list[Path]:
        """Return the finished run files of earlier steps of these procedures."""
        paths = (
            self.path_of(one)
            for one in self.plan.runs
            if one.number < planned.number and one.procedure in procedures
        )
        return [path for path in paths if _finished(path)]

    def _nothing_to_form(self, planned: PlannedRun) -> str:
        cells = {key: planned.parameters.get(key) for key in ("array", "rows", "columns")}
        for path in self._before(planned, "contact"):
            with RunFile(path) as file:
                same = {key: file.given.get(key) for key in cells} == cells
                if same and file.summary.get("unformed") == 0:
                    return f"no cell of the sample is virgin ({path.name})"
        return ""

    def _on_sound_cells(self, planned: PlannedRun) -> tuple[dict[str, Any] | None, str]:
        """Return a step's parameters with lines on which no cell is broken; None where there are none."""
        values = dict(planned.parameters)
        pool = self._pool(planned)
        if planned.procedure in ALL_CELLS or pool is None or not {"rows", "columns"} <= values.keys():
            return values, ""
        broken, defects = self._broken(planned, pool)
        plan_range = CellRange.parse(values["rows"], values["columns"])
        if not (
            np.isin(plan_range.rows, pool.rows).all() and np.isin(plan_range.columns, pool.columns).all()
        ):
            return values, ""  # other cells than the sample's, by the plan's author
        rows, columns = (
            np.searchsorted(*lines).tolist()
            for lines in ((pool.rows, plan_range.rows), (pool.columns, plan_range.columns))
        )
        if not broken[np.ix_(rows, columns)].any():
            return values, ""
        rows, columns = without_broken(broken, rows, columns)
        cells = CellRange(pool.rows[rows], pool.columns[columns])
        left_out = _in_words(plan_range, cells, defects)
        if not cells.count:
            return None, left_out
        values |= {"rows": joined(cells.rows), "columns": joined(cells.columns)}
        if "digits" in values:
            values["digits"] = load_digits(values["digits"])[: len(rows), : len(columns)]
        return values, left_out

    def _pool(self, planned: PlannedRun) -> CellRange | None:
        """Return the whole sample: the cells of the contact test, or of forming; None where the plan has neither."""
        for one in self.plan.runs:
            given = one.parameters
            same = given.get("array") == planned.parameters.get("array")
            if same and one.procedure in ("contact", "form") and {"rows", "columns"} <= given.keys():
                cells = CellRange.parse(given["rows"], given["columns"])
                return CellRange(np.sort(cells.rows), np.sort(cells.columns))
        return None

    def _broken(
        self, planned: PlannedRun, pool: CellRange
    ) -> tuple[NDArray[np.bool_], Mapping[tuple[int, int], str]]:
        """Return which cells of the sample are known to be broken, and of each what is."""
        broken, defects = np.zeros(pool.shape, dtype=bool), {}
        paths = self._before(planned, *TELLING)
        for one in collect_defects(paths).defects.defects if paths else ():
            if one.array == planned.parameters.get("array"):
                for i, j in np.argwhere(_covered(one, pool)).tolist():
                    broken[i, j] = True
                    defects[int(pool.rows[i]), int(pool.columns[j])] = f"{one.defect} ({one.run})"
        return broken, defects


@dataclass
class _Chip:
    """The bench of a plan: a real one by its name, a simulated one held open, with its chip as the last step left it.

    `runs` are the files of all runs on the chip so far: between the runs on a real one nothing else knows its formed cells.
    """

    first: PlannedRun
    given: Bench | None = None
    last: Path | None = None
    runs: list[Path] = field(default_factory=list)
    _stack: ExitStack = field(default_factory=ExitStack)
    _open: Bench | None = None

    def __enter__(self) -> _Chip:
        source = load_conditions(self.first.bench, self.first.preset, self.first.seed)
        self.simulated = source.bench.simulation is not None or self.given is not None
        return self

    def __exit__(self, *exception: object) -> None:
        self.forget()

    def keep(self, path: Path) -> None:
        """Go on, when a step asks for it, from what the run in the file at `path` left."""
        self.forget()
        self.last = path
        self.runs.append(path)

    def forget(self) -> None:
        """Close a simulated bench whose chip is no longer as a finished step left it."""
        self._stack.close()
        self._open = None

    def bench(self, observers: Sequence[Observer], control: Control | None) -> str | Bench:
        """Return the bench for the next step."""
        if self.given is not None or not self.simulated:
            return self.given or self.first.bench
        if self._open is None:
            opener = (
                opener_of(self.first.bench, self.first.preset)
                if self.last is None
                else chip_after(self.last, bench_key(self.first.bench))
            )
            opening = Opening(self.first.seed or 0, observers, control or Control())
            self._open = self._stack.enter_context(opener(opening)).bench
        return self._open


def _finished(path: Path) -> bool:
    """Return whether a run file is there and finished; `InputError` for one that is being written."""
    if not path.exists():
        return False
    try:
        with RunFile(path) as file:
            if file.status in GOING_ON:
                raise InputError(f"{path} is being written by another process; wait until it has ended")
            return file.status is Status.FINISHED
    except RunFileError:
        return False


def _put_aside(path: Path) -> Path | None:
    """Rename the file of an attempt that did not finish, and return its new path; None without one."""
    if not path.exists():
        return None
    for number in range(1, 1000):
        aside = path.with_name(f"{path.stem}.attempt-{number}.h5")
        if not aside.exists():
            path.replace(aside)
            return aside
    raise InputError(f"{path} was tried 999 times; look into its attempts")


def _covered(finding: DefectFinding, pool: CellRange) -> NDArray[np.bool_]:
    rows = np.ones(len(pool.rows), bool) if finding.row is None else pool.rows == finding.row
    columns = np.ones(len(pool.columns), bool) if finding.column is None else pool.columns == finding.column
    return np.outer(rows, columns)


def _in_words(plan_range: CellRange, used: CellRange, defects: Mapping[tuple[int, int], str]) -> str:
    """Return which cells of the wanted lines are broken, and which lines are used instead."""
    inside = [
        f"[{row}, {column}] {what}"
        for (row, column), what in sorted(defects.items())
        if row in plan_range.rows and column in plan_range.columns
    ]
    parts = ["; ".join(inside)]
    for what, before, after in (
        ("row", plan_range.rows, used.rows),
        ("column", plan_range.columns, used.columns),
    ):
        gone, new = np.setdiff1d(before, after), np.setdiff1d(after, before)
        if gone.size:
            instead = f", {', '.join(map(str, new))} taken instead" if new.size else ""
            parts.append(f"{what}{'s' * (gone.size > 1)} {', '.join(map(str, gone))} left out{instead}")
    return ": ".join(parts[:1]) + "".join(f"; {part}" for part in parts[1:])


@dataclass(frozen=True)
class ExpectedStep:
    """What a step is expected to take on real instruments."""

    planned: PlannedRun
    pulses: int | None
    seconds: float | None  # s; None where its procedure does not say
    reason: str = ""  # why it would be refused, for what is known without a bench


def expected_steps(characterisation: Characterisation) -> list[ExpectedStep]:
    """Return what the remaining steps are expected to take on a bench of real instruments, if nothing is broken."""
    result = []
    for planned in characterisation.remaining():
        source = load_bench_file(planned.bench)
        real = source.model_copy(update={"bench": source.bench.model_copy(update={"simulation": None})})
        try:
            procedure = planned.make()
            own = procedure.estimate(procedure.check(), real)
        except MhoError as error:
            result.append(ExpectedStep(planned, None, None, str(error)))
            continue
        result.append(ExpectedStep(planned, own.pulses, own_seconds(own, real)))
    return result


@dataclass(frozen=True)
class Rehearsed:
    """What a rehearsal of all steps on the twins of a bench came to."""

    steps: tuple[tuple[StepEnd, float], ...]  # each with its time on the instruments, s
    message_seconds: float  # what messages take beside, s, as `mho.running.rehearsal` assumes it
    incidents: tuple[str, ...]  # what would have gone wrong at the wires

    @property
    def seconds(self) -> float:
        """All together, s."""
        return sum(seconds for _, seconds in self.steps) + self.message_seconds


def rehearsed(folder: Path, during: During = lambda planned: nullcontext(((), None))) -> Rehearsed:
    """Carry a plan out on the twins of its bench, cells of the plan's preset, and keep nothing of it."""
    first = Characterisation(folder)
    planned = first.plan.runs[0]
    source = load_bench_file(planned.bench)
    times: list[tuple[StepEnd, float]] = []
    with (
        tempfile.TemporaryDirectory(prefix="mho-rehearsal-") as name,
        open_rehearsal(source, preset=planned.preset, seed=planned.seed) as bench,
    ):
        laboratory = bench.laboratory
        assert laboratory is not None  # a rehearsal always has one
        copy = Path(name)
        for file in folder.iterdir():
            if file.suffix in (".toml", ".csv"):
                (copy / file.name).write_bytes(file.read_bytes())
        begun = bench.now()

        def timed(end: StepEnd) -> None:
            nonlocal begun
            times.append((end, bench.now() - begun))
            begun = bench.now()

        Characterisation(copy, bench).carry_out(during, timed)
        buses = bus_reports(source.bench, laboratory)
        incidents = tuple(f"{one.kind}: {one.detail}" for one in laboratory.incidents)
    return Rehearsed(tuple(times), sum(bus.seconds for bus in buses), incidents)
