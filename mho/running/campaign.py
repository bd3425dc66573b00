"""Hundreds of runs of one plan on simulated benches, spread over workers, each with a run file, all in one table.

Equal fingerprints give equal runs. What a run reads from files counts by its contents, not by its path.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mho import platforms
from mho.errors import ChangedInputError, InputError, MhoError, RunFileError, WorkersLostError, os_errors_as
from mho.instruments.simulated import cell_preset, preset_text
from mho.own_code import name_of, names_file, source_of
from mho.procedures.base import Procedure
from mho.procedures.catalogue import find_procedure, form_of
from mho.procedures.conditions import load_conditions
from mho.running.execution import run
from mho.running.plan import Plan, PlannedRun, check_plan_needs
from mho.running.results import failure_reason
from mho.runs import GOING_ON, Labels, RunFile, Status, outcome_line
from mho.runs.index import plain_results, write_parquet
from mho.runs.liveness import HEARTBEAT_LIMIT
from mho.runs.paths import MOST_TRIES, path_of_earlier_try
from mho.runs.provenance import file_hash, is_file, mho_version, text_hash
from mho.whole_files import whole_file

if TYPE_CHECKING:
    from mho.workers import Workers

Fingerprint = dict[str, str]  # values in words, and hashes behind `HASH`, by what they are of
HASH = "sha256:"
PARAMETER = "parameter "

_CHECKOUT = Path(__file__).resolve().parents[1]
_WITHOUT_BEARING = ("analysis", "cli", "gui", "linalg")  # rooms of mho that no run depends on
_LAST = ("code of mho",)  # what is said last: it changes with a version, too


class Inputs:
    """What planned runs read, each file and each bench looked at once: as they are when they are first asked for."""

    def __init__(self) -> None:
        self._content, self._conditions = cache(_content), cache(_conditions)
        self._procedure, self._code = cache(find_procedure), cache(_code_of)

    def take_up(self, runs: Iterable[PlannedRun]) -> None:
        """Look now at all that these runs read, so that what changes later differs.

        `MhoError` for what cannot be read or is not valid any more.
        """
        for planned in runs:
            self._conditions(planned.bench, planned.preset)
            for value in planned.parameters.values():
                self._value(value)
            for _, kind in self._kinds_of(planned):
                self._code(kind)

    def fingerprint(self, planned: PlannedRun, seed: int) -> Fingerprint:
        """Return all that a planned run with this seed depends on.

        Procedure, version and source, with those of its `own_classes`; every parameter, and the contents of each file that
        one names; bench file, chip map, list of defects, cells; the seed; mho. The modules that a procedure of a user's own
        imports are not in it, nor are the packages that are installed.

        `MhoError` for what cannot be read or is not valid any more.
        """
        result = {"seed": str(seed), **_code_of_mho(), **self._conditions(planned.bench, planned.preset)}
        named = dict(self._kinds_of(planned))
        for what, kind in named.items():
            name, source = self._code(kind)
            result |= {what: name} | ({f"source of the {what}": source} if source else {})
        kind = self._procedure(planned.procedure)
        result["version of the procedure"] = kind.version
        for name, parameter in form_of(kind).items():
            if name not in named:
                result[f"{PARAMETER}{name}"] = self._value(planned.parameters.get(name, parameter.default))
        return result

    def _kinds_of(self, planned: PlannedRun) -> Iterator[tuple[str, Any]]:
        """Yield the classes that a run is made of, by what they are."""
        kind = self._procedure(planned.procedure)
        yield "procedure", kind
        if kind.own_classes is not Procedure.own_classes:
            yield from planned.make().own_classes().items()

    def _value(self, value: object) -> str:
        return (self._content(value) or value) if isinstance(value, str) else str(value)


def _content(text: str) -> str:
    """Return what stands for the file that a text names; "" where it names none."""
    return HASH + file_hash(Path(text)) if is_file(text) else ""


def _code_of(kind: type) -> tuple[str, str]:
    """Return the name of a class and what stands for its source; "" for one of mho's own."""
    name, source = name_of(kind), source_of(kind)
    return kind.__qualname__ if names_file(name) else name, HASH + text_hash(source) if source else ""


def _conditions(bench: str, preset: str | None) -> Fingerprint:
    """Return what stands for bench, chip and cells; `InputError` for real instruments."""
    source = load_conditions(bench, preset)
    if source.bench.simulation is None:
        raise InputError(
            f"bench {bench!r} has real instruments; a campaign runs on simulated benches, several at once: "
            "put its runs into the queue instead"
        )
    cells = cell_preset(preset or source.kind_of_cells)
    laws = "".join(source_of(type(law)) for law in (cells.own.objects() if cells.own is not None else ()))
    return {
        "bench file": HASH + text_hash(source.text),
        "chip map": HASH + text_hash(source.chip_text),
        "list of defects": HASH + text_hash(source.defects_text),
        "preset": cells.name,
        "content of the preset": HASH + text_hash(preset_text(cells) + laws),
    } | ({} if source.own_circuit is None else _circuit_of(source.own_circuit))


def _circuit_of(own: Any) -> Fingerprint:
    """Return what stands for elements of a user's own in the circuits."""
    from mho.instruments.simulated import circuit_elements, circuit_text  # and with it NumPy

    elements = circuit_elements(own)
    sources = "".join(source_of(type(one)) for one in elements.objects())
    return {"content of the circuit": HASH + text_hash(circuit_text(elements) + sources)}


@cache
def _code_of_mho() -> Fingerprint:
    """Return the hash of mho's own code and data; of once in a process, which does not see what changes afterwards."""
    digest = hashlib.sha256()
    for path in sorted(_CHECKOUT.rglob("*")):
        place = path.relative_to(_CHECKOUT)
        if place.parts[0] in _WITHOUT_BEARING or "__pycache__" in place.parts or not path.is_file():
            continue
        digest.update(f"{place.as_posix()} {file_hash(path)}\n".encode())
    return {"version of mho": mho_version(), "code of mho": HASH + digest.hexdigest()}


def differences(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return what differs between two fingerprints, each in a few words."""
    result = []
    for name in sorted(then.keys() | now.keys(), key=lambda one: (one in _LAST, one)):
        was, is_now = then.get(name, "nothing"), now.get(name, "nothing")
        if was == is_now:
            continue
        was_file, is_file_now = was.startswith(HASH), is_now.startswith(HASH)
        if was_file and is_file_now:
            of_file = name.startswith(PARAMETER)
            result.append(f"{f'the file of {name}' if of_file else f'the {name}'} has changed")
        else:
            old, new = "a file" if was_file else was, "a file" if is_file_now else is_now
            result.append(f"the {name} was {old} and is {new}")
    return result


def recorded_fingerprint(file: RunFile) -> Fingerprint:
    """Return the fingerprint that a run file keeps, as far as the file itself does not show another one.

    What was read when the run began counts, not what was expected.
    """
    try:
        result = json.loads(file.provenance.get("fingerprint", "{}"))
    except ValueError:
        result = {}
    if not (isinstance(result, dict) and all(isinstance(one, str) for one in result.values())):
        result = {}
    texts = {"bench file": file.bench, "chip map": file.chip, "list of defects": file.defects}
    if file.source:
        texts["source of the procedure"] = file.source
    read = {name: HASH + text_hash(text) for name, text in texts.items()}
    read |= {f"{PARAMETER}{name}": HASH + digest for name, digest in file.input_hashes.items()}
    return result | read | {"seed": str(file.seed), "version of the procedure": file.version}


SAVED = 30.0  # s between two writings of the table, so that a crash leaves one
LOOK = 0.5  # s between two looks at a file that another process writes

Row = dict[str, Any]


@dataclass(frozen=True)
class CampaignTask:
    """One run of a campaign."""

    planned: PlannedRun
    seed: int
    path: Path
    tries: int
    fingerprint: Fingerprint  # what it depends on
    planned_runs: int  # how many runs its plan has
    labels: Labels = field(default_factory=Labels)  # sample, operator and project of its runs

    def provenance(self) -> dict[str, str]:
        """Return what its run file keeps of the campaign."""
        return {
            "fingerprint": json.dumps(self.fingerprint, ensure_ascii=False, sort_keys=True),
            "planned_run": f"{self.planned.number} of {self.planned_runs}",
        }


@dataclass(frozen=True)
class CampaignShare:
    """The part of a plan's runs that one of several processes carries out: every `of`-th run, from the `number`-th on."""

    number: int = 1
    of: int = 1

    def has(self, run: int) -> bool:
        """Return whether the run of this number, from 1, belongs to it."""
        return (run - self.number) % self.of == 0


WHOLE = CampaignShare()


def parse_share(text: str) -> CampaignShare:
    """Return the share that ``K/N`` names; the whole for "".

    `InputError` for anything else, and unless 1 <= K <= N.
    """
    if not text:
        return WHOLE
    match = re.fullmatch(r"([0-9]+)/([0-9]+)", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise InputError(
            f"--share is {text!r}; give K/N, the K-th of N shares, such as 3/10: K is from 1 to N"
        )
    return CampaignShare(int(match[1]), int(match[2]))


class Campaign:
    """A plan and the folder in which it is carried out.

    The folder holds ``plan.toml``, ``runs/<number>.h5`` and ``table.parquet``. The run files say what is
    done: a campaign that is carried out again in its folder repeats no finished run. What every run depends on is
    what it is when the campaign is made, see `mho.running.campaign`.

    `tries`: how often a run that fails is tried in all.
    `share`: the runs that are carried out here; others may carry out the others in the same folder at the
        same time.
    `labels`: of its runs; by default those of the user's environment.
    `InputError` for a plan with a bench of real instruments or with steps that go on after others, and for a
    folder that holds another plan.
    """

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        *,
        tries: int = 2,
        share: CampaignShare = WHOLE,
        labels: Labels | None = None,
    ) -> None:
        check_plan_needs(plan)
        self._inputs = Inputs()
        self._inputs.take_up(plan.runs)
        for planned in plan.runs:
            if planned.after is not None:
                raise InputError(
                    f"run {planned.number} of the plan goes on with the chip of run {planned.after}, and the runs of a "
                    "campaign stand alone; run the plan, or put it into the queue"
                )
        _store_plan(plan, folder)
        self.plan, self.folder, self.share = plan, folder, share
        self.table = folder / "table.parquet"
        self._tries = tries
        self._labels = Labels.from_environment() if labels is None else labels

    def __len__(self) -> int:
        """Return how many runs its share has."""
        return sum(self.share.has(planned.number) for planned in self.plan.runs)

    def tasks(self) -> Iterator[CampaignTask]:
        """Every run of its share, in the order of the plan; those without a seed get one that is always the same."""
        for planned in self.plan.runs:
            if self.share.has(planned.number):
                yield self._task(planned)

    def _task(self, planned: PlannedRun) -> CampaignTask:
        seed = planned.seed
        if seed is None:
            seed = int(np.random.SeedSequence(planned.number).generate_state(1)[0])
        path = (self.folder / "runs" / f"{planned.number:06}.h5").resolve()
        depends_on = self._inputs.fingerprint(planned, seed)
        return CampaignTask(planned, seed, path, self._tries, depends_on, len(self.plan.runs), self._labels)

    @cached_property
    def finished_before(self) -> Mapping[int, Row]:
        """The rows of the runs whose files said *finished* at the first look, by number.

        `ChangedInputError` where one of them was made with something else than its plan says now.
        """
        return self._rows_of_files(self.share, Status.FINISHED)

    def _rows_of_files(self, share: CampaignShare, *statuses: Status) -> dict[int, Row]:
        there = set(os.listdir(self.folder / "runs"))
        rows = {}
        for planned in self.plan.runs:
            if share.has(planned.number) and f"{planned.number:06}.h5" in there:
                row = _row_of_file(self._task(planned), statuses)
                if row is not None:
                    rows[planned.number] = row
        return rows

    def carry_out(self, workers: Workers, observe: Callable[[Row], None] = lambda row: None) -> list[Row]:
        """Carry out the remaining runs, write the table, and return its rows in the order of the plan.

        `observe`: called for each run as it ends, and for those done before.
        `ChangedInputError` where what a run depends on is not what it was when the campaign began, or when it
        was finished before; `WorkersLostError` where the workers are gone; the table has what was finished
        until then.
        """
        rows = dict(self.finished_before)
        for row in rows.values():
            observe(row)
        saved = time.monotonic()
        left = (task for task in self.tasks() if task.planned.number not in self.finished_before)
        try:
            with platforms.here.kept_awake("a campaign of runs"):
                for done in workers.spread(carry_out, left):
                    if isinstance(done.error, ChangedInputError):
                        raise done.error
                    if done.result is not None:
                        row = done.result
                    else:  # a worker died of it again and again, or dask itself gave up
                        reason = f"{type(done.error).__name__}: {done.error}"
                        row = describe_run(done.item, Status.FAILED, reason, {}, done.item.tries)
                    rows[row["number"]] = row
                    observe(row)
                    if time.monotonic() - saved > SAVED:
                        self._save(rows)
                        saved = time.monotonic()
        except WorkersLostError as error:
            finished = sum(row["status"] == Status.FINISHED for row in rows.values())
            raise WorkersLostError(
                f"{error}; nothing is lost: {finished} of {len(self)} runs are finished, and the same command goes on "
                "with the others"
            ) from None
        finally:
            self._save(rows)
        return [rows[number] for number in sorted(rows)]

    def gather(self) -> list[Row]:
        """Write the table of the runs that are finished already, and return their rows."""
        rows = self.finished_before
        self._save(rows)
        return [rows[number] for number in sorted(rows)]

    def _save(self, rows: Mapping[int, Row]) -> None:
        """Write the table; that of a share has the runs that others have ended until then, too."""
        whole = dict(rows)
        while True:
            write_parquet([whole[number] for number in sorted(whole)], self.table)
            if self.share.of == 1:
                return
            # Another share may have ended, and written its table, since this one looked: the last to write has all.
            others = self._rows_of_files(WHOLE, *ENDED)
            if others.keys() <= whole.keys():
                return
            whole = others | dict(rows)


ENDED = (Status.FINISHED, Status.FAILED, Status.ABORTED)


def _store_plan(plan: Plan, folder: Path) -> None:
    """Write the plan into the folder of its campaign, or compare it with the one that is there."""
    path = folder / "plan.toml"
    with os_errors_as(InputError, f"{folder} cannot be used", "; choose another output"):
        (folder / "runs").mkdir(parents=True, exist_ok=True)
        if not path.exists():
            with whole_file(path) as draft:  # the other shares of the campaign begin at the same time
                draft.write_text(plan.text, "utf-8")
        elif path.read_text("utf-8") != plan.text:
            raise InputError(f"{folder} holds another plan ({path}); choose another output for this one")


def carry_out(task: CampaignTask) -> Row:
    """Carry out one run and describe its outcome; one that another process finishes meanwhile is only described.

    `ChangedInputError` where what the run depends on is not what it was when the campaign began.
    """
    reason = ""
    for attempt in range(1, task.tries + 1):
        result = _finished_elsewhere(task, attempt)
        if result is not None:
            return result
        _check_unchanged(task)
        reason = _try(task)
        if not reason:
            try:
                finished = _row_of_file(task, (Status.FINISHED,), attempt)
            except ChangedInputError:
                _put_aside(task.path)  # nothing may stand in the way once what was is back
                raise
            if finished is not None:
                return finished
    return describe_run(task, Status.FAILED, reason, {}, task.tries)


def _try(task: CampaignTask) -> str:
    """Carry out one run; return why it failed, "" if it did not."""
    planned = task.planned
    try:
        run(
            planned.make(), planned.bench, seed=task.seed, preset=planned.preset, output=task.path,
            provenance=task.provenance(), labels=task.labels,
        )  # fmt: skip
    except MhoError as error:
        return str(error)
    except Exception as error:  # a flaw of one run must not end the campaign; the table says what it was
        return failure_reason(error)
    return ""


def _check_unchanged(task: CampaignTask) -> None:
    """Raise `ChangedInputError` when what a run reads is not what it was when the campaign began."""
    number, host = task.planned.number, socket.gethostname()
    try:
        changed = differences(task.fingerprint, Inputs().fingerprint(task.planned, task.seed))
    except MhoError as error:
        changed = [str(error)]
    if changed:
        raise ChangedInputError(
            f"run {number} is not carried out on {host}: {'; '.join(changed)} since the campaign began; bring back what "
            "was and give the same command again, or choose another output, so that no table mixes the two"
        )


def _finished_elsewhere(task: CampaignTask, attempt: int) -> Row | None:
    """Describe the run if its file says *finished*; else put that file out of the way, once nobody writes it any more."""
    _wait_for_writer(task.path)
    finished = _row_of_file(task, (Status.FINISHED,), attempt)
    if finished is None and task.path.exists():
        _put_aside(task.path)
    return finished


def _wait_for_writer(path: Path) -> None:
    """Wait until no process writes the file at `path`: for as long as its heartbeat goes on, and `HEARTBEAT_LIMIT` after.

    A worker that was killed on another host is known to be gone by its heartbeat alone. That it stands still counts, not
    its age: the clock of another host may be wrong.
    """
    beat, since = 0.0, time.monotonic()
    while path.exists():
        try:
            with RunFile(path, whole=False) as file:
                if file.status not in GOING_ON:
                    return
                if file.last_sign != beat:
                    beat, since = file.last_sign, time.monotonic()
                elif time.monotonic() - since > HEARTBEAT_LIMIT and not file.writer.is_of_this_host:
                    return
        except RunFileError:
            return
        time.sleep(LOOK)


def _put_aside(path: Path) -> None:
    aside = path_of_earlier_try(path)
    if aside is None:
        raise InputError(f"{path} was tried {MOST_TRIES} times; look into its .failed files")
    platforms.here.replace(path, aside)


def _row_of_file(task: CampaignTask, statuses: tuple[Status, ...], attempt: int = 0) -> Row | None:
    """Describe the run if its file has one of these statuses; None if there is no such file.

    `ChangedInputError` where it was made with something else than the task says.
    """
    try:
        with RunFile(task.path) as file:
            status = file.status
            if status not in statuses:
                return None
            outcome = outcome_line(status, file.reason, file.conclusion, named=False)
            row = describe_run(task, status, file.reason, file.summary, attempt, outcome)
            made = recorded_fingerprint(file)
    except RunFileError:
        return None
    if status is Status.FINISHED and (changed := differences(made, task.fingerprint)):
        what = (
            "; ".join(changed) if "version of mho" in made else "its file does not say what it was made with"
        )
        raise ChangedInputError(
            f"run {task.planned.number} in {task.path.parent.parent} was made under other conditions: {what}; bring back "
            "what was, or choose another output, so that no table mixes the two"
        )
    return row


def describe_run(
    task: CampaignTask,
    status: Status,
    reason: str,
    summary: Mapping[str, Any],
    attempt: int,
    conclusion: str = "",
) -> Row:
    """Return the row of a run: what was planned, how it ended, and the plain numbers of its summary.

    `attempts` is 0 for a run that was finished before the campaign was started, or by another share of it.
    """
    planned = task.planned
    row: Row = {
        "number": planned.number, "procedure": planned.procedure, "status": str(status), "reason": reason,
        "conclusion": conclusion or reason, "attempts": attempt,
        "file": f"runs/{task.path.name}" if task.path.exists() else "", "bench": planned.bench,
        "preset": planned.preset, "seed": task.seed,
    }  # fmt: skip
    row |= {f"parameter.{key}": value for key, value in planned.parameters.items()}
    row |= {f"result.{key}": value for key, value in plain_results(summary).items() if value is not None}
    return row
