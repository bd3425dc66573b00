"""Orders: checked before they are queued, with their expected duration and the paths of their run files."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

from mho.errors import MhoError, QueueError
from mho.input_files import bench_key
from mho.instruments.bench_file import BenchSource, is_real
from mho.own_code import name_of
from mho.procedures.base import Estimate
from mho.procedures.catalogue import find_procedure, make_procedure
from mho.procedures.chip_in_use import on_chip
from mho.procedures.conditions import check_seed, load_conditions
from mho.procedures.manifest import known_entries
from mho.running.plan import check_plan_needs, load_plan
from mho.running.queue.job import WITHIN, Job, JobStatus, Order
from mho.running.queue.store import Queue, job_number
from mho.running.trust import Trust, check_chain, check_code_on, code_of, deny_all, name_here, runs_behind
from mho.runs import RunFile, new_run_path

# From the start of a worker to that of its run before any was measured, s (?): its imports, the opening of
# the bench
START = 3.0
RUN = 0.5  # time of any run beside its pulses and reads, s (?): its file, and making the bench safe
SIMULATED_PULSE = 1e-3
# Wall time of a programming pulse with its verify read and all messages before any was measured, s (?)
HARDWARE_PULSE = 20e-3
RECENT = 5  # jobs from which a median is taken
CHAIN = 10_000  # runs on one chip that are followed back


def expected_seconds(
    order: Order, own: Estimate, queue: Queue, source: BenchSource, planned: Sequence[float | None] = ()
) -> float | None:
    """Return how long a job is expected to take, the start of its worker included, s; None when not known.

    `order`: checked, with the unique name of its bench.
    `planned`: expected durations of the previous orders of a plan, s; ``@2`` is the second of them.
    """
    real = source.bench.simulation is None  # whose chip is as it is: nothing is repeated
    starts = [
        max(job.ended - job.started - job.seconds, 0.0)
        for job in queue.finished(order.bench)
        if (real or job.order.after is None) and job.ended and job.started and job.seconds is not None
    ]
    start = median(starts[:RECENT]) if starts else START
    before = repeated_seconds(None if real else order.after, queue, start, planned)
    run = run_seconds(order, own, queue.finished(order.bench, order), source)
    return None if before is None or run is None else start + before + run


def run_seconds(order: Order, own: Estimate, last: Sequence[Job], source: BenchSource) -> float | None:
    """Return how long the run alone is expected to take, s; None when nothing is known.

    Jobs with the same parameters say it themselves. Of others the last one gives the pace: what it took, over what
    its procedure would have said. A procedure that says nothing may take any time with other parameters.

    `last`: that finished with the same procedure, bench and cells, the newest first.
    """
    measured = [job for job in last if job.seconds is not None]
    same = [job.seconds for job in measured if _alike(job.order, order)]
    if same:
        return median(same[:RECENT])  # type: ignore[type-var]
    guess = own_seconds(own, source)
    if guess is None or not measured:
        return guess
    newest = measured[0]
    if own.seconds is None and newest.pulses:
        before = own_seconds(Estimate(pulses=newest.pulses), source)
    else:
        before = own_seconds(_estimate_of(newest.order, source), source)
    assert newest.seconds is not None
    return guess if before is None else guess * newest.seconds / before


def own_seconds(own: Estimate, source: BenchSource) -> float | None:
    """Return the procedure's own estimate of a run, s; None when it gives none."""
    if own.seconds is not None:
        return RUN + own.seconds
    pulse = HARDWARE_PULSE if source.bench.simulation is None else SIMULATED_PULSE
    return None if own.pulses is None else RUN + own.pulses * pulse


def repeated_seconds(
    after: str | None, queue: Queue, start: float, planned: Sequence[float | None] = ()
) -> float | None:
    """Return how long the runs behind the chip of `after` take to repeat, s; None when not known.

    `after`: as in an order; None for a fresh chip.
    `start`: what a worker's start takes, s: a job that waits has it in its estimate.
    """
    total = 0.0
    try:
        for _ in range(CHAIN):
            if after is None:
                return total
            waiting: float | None
            if after.startswith(WITHIN):
                waiting = planned[int(after.removeprefix(WITHIN)) - 1]
            elif not after.startswith("#"):
                return total + _file_seconds(Path(after))
            else:
                job = queue.job(int(after.removeprefix("#")))
                if job.status is JobStatus.FINISHED and job.seconds is not None:
                    total, after = total + job.seconds, job.order.after
                    continue
                waiting = job.estimate
            return None if waiting is None else total + max(waiting - start, 0.0)
    except (MhoError, LookupError, ValueError):  # errors are reported when it is run
        pass
    return None


def _alike(one: Order, other: Order) -> bool:
    """Return whether two orders of a procedure differ only in their seed."""
    a, b = ({name: v for name, v in each.parameters.items() if name != "seed"} for each in (one, other))
    return a == b


def _file_seconds(path: Path) -> float:
    """Return how long the run in a file, and those before it on its chip, took, s."""
    spans = ((run.start_time, run.end_time) for run in runs_behind(path))
    return sum((end - start).total_seconds() for start, end in spans if end is not None)


def _estimate_of(order: Order, source: BenchSource) -> Estimate:
    """Return the present estimate of an earlier order by its procedure; empty where its input is gone."""
    with contextlib.suppress(Exception), contextlib.chdir(order.folder):
        procedure = on_chip(make_procedure(order.procedure, order.parameters), source.chip_text)
        return procedure.estimate(procedure.check(), source)
    return Estimate()


@dataclass(frozen=True)
class Expected:
    """A checked order, and what it will take."""

    order: Order  # with absolute paths
    pulses: int | None  # programming pulses; None when that is not known
    seconds: float | None  # wall time of the job, s; None when that is not known
    # What is used for parameters that were not given, with its origin, as of `Procedure.in_use`
    in_use: Mapping[str, tuple[float | str, str]] = field(default_factory=dict)


def checked_all(orders: Sequence[Order], queue: Queue) -> list[tuple[Order, float | None]]:
    """Check the orders of a plan as `expect` does; return each in full, and its estimate (s).

    They may continue one another. Those that differ only in their seed are checked once.
    """
    known: dict[str, tuple[Order, float | None]] = {}
    result: list[tuple[Order, float | None]] = []
    planned: list[float | None] = []
    real = {bench: is_real(bench) for bench in {order.bench for order in orders}}
    for order in orders:
        same = {key: v for key, v in order.parameters.items() if key != "seed" or v != order.seed}
        fresh = order.after is None or real[order.bench]  # nothing is repeated before it
        key = repr(replace(order, seed=None, parameters=same, after=None if fresh else order.after))
        if fresh and key in known:
            check_seed(order.seed)
            first, estimate = known[key]
            result.append((replace(order, bench=first.bench, output=first.output), estimate))
        else:
            expected = expect(order, queue, planned=planned)
            result.append((expected.order, expected.seconds))
            known.setdefault(key, result[-1])
        planned.append(result[-1][1])
    return result


def expect(
    order: Order, queue: Queue, trust: Trust = deny_all, planned: Sequence[float | None] = ()
) -> Expected:
    """Check an order as far as possible without a bench; return it completed, with its expected extent.

    `order`: relative paths start from its folder.
    `trust`: called for code outside mho that a run file of the order names, as its worker cannot ask a user.
    `planned`: expected durations of the previous orders of a plan, s.
    `MhoError` as `load_conditions` and the procedure's own check, and for a run or job that cannot be
    continued.
    """
    # With the twins, which a queue that is only read needs not
    from mho.running.rehearsal import check_on_twins

    with contextlib.chdir(order.folder):
        bench = bench_key(order.bench)
        source = load_conditions(bench, order.preset, order.seed, order.force)
        procedure = on_chip(make_procedure(order.procedure, order.parameters), source.chip_text)
        given = procedure.check()
        in_use = check_on_twins(procedure, given, source, order.preset)
        own = procedure.estimate(given, source)
        output = None if order.output is None else order.output.resolve()
        order = replace(order, bench=bench, output=output)
        if order.after is not None:
            if order.after.startswith(WITHIN) and not planned:
                raise QueueError(
                    f"--after {order.after} names no job and no run file; write #5 for the run of job 5"
                )
            after = ground(order, queue, simulated=source.bench.simulation is not None)
            order = replace(order, after=after)
            if not after.startswith((WITHIN, "#")):
                check_chain(Path(after), trust)
    return Expected(order, own.pulses, expected_seconds(order, own, queue, source, planned), in_use)


def able_benches(order: Order) -> list[str]:
    """Return the packaged benches that can carry out an order, other than its own."""
    from mho.running.rehearsal import able_benches  # with the twins, as above

    with contextlib.chdir(order.folder):
        procedure = make_procedure(order.procedure, order.parameters)
        return [name for name in able_benches(procedure, procedure.check()) if name != order.bench]


def ground(order: Order, queue: Queue, *, simulated: bool) -> str:
    """Return in full the run or job that an order continues, as far as it can be checked before it runs.

    On real instruments it is the job that had the same chip before: only what was learnt of its cells goes on, and of a
    job removed since that is nothing.

    `QueueError` for a file or job that is not there, one of another bench, or a bench of real instruments.
    """
    after = order.after or ""
    if after.startswith(WITHIN):  # of a plan
        return after
    number = job_number(after)
    if not simulated and number is None:
        raise QueueError(
            f"bench {order.bench} has real instruments, whose chip is as it is: it goes on from no file, as {after}; name "
            'the job that had the chip before, as #5, or none by --after ""'
        )
    if order.preset is not None:
        raise QueueError(
            f"a job after {after} goes on with the cells from there; leave out --preset {order.preset}"
        )
    if number is None:
        if not Path(after).is_file():
            raise QueueError(
                f"there is no run file {after} to go on from; name one, or #5 for the run of job 5"
            )
        return str(Path(after).resolve())
    if (simulated or not queue.removed(number)) and (bench := queue.job(number).order.bench) != order.bench:
        raise QueueError(
            f'job {number} is for bench {bench}, and so is a job after it; one for another bench needs --after ""'
        )
    return f"#{number}"


def run_before(order: Order, queue: Queue) -> Path | None:
    """Return the run file whose chip an order continues with, when the order is about to run; None for a fresh chip.

    `QueueError` where the job that it goes on from has not finished.
    """
    if order.after is None:
        return None
    number = job_number(order.after)
    if number is None:
        return Path(order.after)
    job = queue.job(number)
    if job.status is not JobStatus.FINISHED or job.run is None:
        raise QueueError(
            f"job {number}, whose chip this one goes on with, is {job.status}; run that one first, and this one again"
        )
    return job.run


def runs_on_chip(order: Order, queue: Queue) -> tuple[Path, ...]:
    """Return the run files that tell which cells of the chip in real instruments are formed, as the order is about to run.

    They are those of the jobs before it on the chip, back to the last that finished: that one has the record of all before.
    A job that failed, left a file that cannot be read, or was not begun yet, keeps no other from running: the chip is as it
    is.
    """
    runs = []
    for job in queue.chain(order.after):
        if job.order.bench != order.bench:  # changed to another bench since, which has another chip
            break
        if job.run is not None and job.run.is_file():
            if job.status is JobStatus.FINISHED:
                runs.append(job.run)
                break
            with contextlib.suppress(MhoError), RunFile(job.run):
                runs.append(job.run)
    return tuple(runs)


def next_run_path(job: Job, folder: Path) -> Path:
    """Return the run file of a job's next attempt, in the queue's `folder` unless the order says another place.

    The job's number is in its name, so that jobs of one second stay apart.

    `RunFileError` where the order names a file that is in the way.
    """
    order = job.order
    output = folder if order.output is None else order.folder / order.output
    if output.suffix == ".h5" and job.attempts and output.exists():
        output = output.with_stem(f"{output.stem}-{job.attempts + 1}")
    procedure = order.procedure.rpartition(":")[2].lower()
    return new_run_path(f"{procedure}-{job.id}", output).resolve()


def orders_of_plan(path: Path) -> list[Order]:
    """Return an order for each run of a plan, in its order.

    On real instruments each goes on from the one before it on its bench, whose chip it has.

    `InputError` for anything wrong in the plan, as `load_plan`; `BenchError` as `check_plan_needs`.
    """
    folder = path.resolve().parent
    plan = load_plan(path.resolve())
    runs = plan.runs
    with contextlib.chdir(folder):
        check_plan_needs(plan)
        real = {bench: is_real(bench) for bench in {run.bench for run in runs}}
    last: dict[str, int] = {}
    orders: list[Order] = []
    for run in runs:
        after = last.get(run.bench) if real[run.bench] else run.after
        last[run.bench] = run.number
        orders.append(
            Order(
                run.procedure, dict(run.parameters), run.bench, run.seed, run.preset, folder=folder,
                after=None if after is None else f"{WITHIN}{after}",
            )
        )  # fmt: skip
    return orders


def order_of_run(path: Path, trust: Trust = deny_all) -> Order:
    """Return the order that repeats an earlier run, with a fresh seed if that run had drawn one.

    Its folder is the current one, where code that is trusted must be, and the input files have absolute paths: no
    module is found in a folder that the run file names.

    `trust`: asked for code that the file names and that is none of mho's own, see `mho.running.trust`.
    `RunFileError` where it is no run file that can be read, or it is not as its run wrote it; `InputError`
    where it names code that is not trusted; `QueueError` where it does not say enough: an older one, or run
    from a script on a bench that was open already.
    """
    with RunFile(path) as file:
        origin = file.provenance
        values, version = file.given, file.version
        seed, inputs = file.seed, file.input_hashes
        names = code_of(file)
    missing = [name for name in ("procedure", "bench", "folder") if not origin.get(name)]
    if missing:
        raise QueueError(
            f"run file {path} does not say its {' and '.join(missing)}; add the job by `mho queue add`"
        )
    check_code_on(origin["bench"], path, names, trust)
    values |= {name: name_here(str(values[name])) for name in names.named}
    for name in inputs:
        if isinstance(value := values.get(name), str):
            values[name] = str(Path(origin["folder"]) / value)
    named = name_here(names.procedure)
    kind = find_procedure(named)
    short = [name for name, entry in known_entries().items() if entry.target == name_of(kind)]
    return Order(
        procedure=next(iter(short), named), parameters=kind.from_version(version, values),
        bench=origin["bench"], seed=seed,
        preset=None if "after" in origin else origin.get("preset_file") or origin.get("preset"),
        folder=Path.cwd(), after=origin.get("after"),
    )  # fmt: skip
