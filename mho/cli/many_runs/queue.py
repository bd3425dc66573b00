"""``mho queue …``: the durable queue on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from mho.cli import completion
from mho.cli.experiments.procedure_command import ProcedureCommand, typed_parameters
from mho.cli.many_runs.queue_tables import as_json, print_job, print_jobs, print_lanes
from mho.cli.options import LABELS, AsJson, Bench, LabelOptions, Output, Preset, Trusted, grouped
from mho.cli.terminal.terminal import Terminal
from mho.errors import QueueError
from mho.input_files import bench_key
from mho.lazy_names import late_imports
from mho.running import queue as job_queue
from mho.running.queue import ENDED, Job, JobStatus, Order, Policy, Queue, Reaction, StorageError, queue_path
from mho.running.runner import NoRunnerError, RunnerClient, RunnerState, as_it_stands, emergency_stop
from mho.runs import Labels

with late_imports():
    from mho.cli.experiments import plan as plans
    from mho.cli.many_runs import runner
    from mho.cli.terminal import run_display
    from mho.instruments import bench_file

queue_app = typer.Typer(no_args_is_help=True, help="Line up runs, and watch and command the runner.")

AnyBench = Annotated[
    str | None, typer.Option(help="only jobs for this bench", autocompletion=completion.benches)
]
Number = Annotated[int, typer.Argument(help="of the job, as `mho queue list` shows it", show_default=False)]
MOST_ENDED, MOST_WAITING = 20, 40
"""Jobs that `list` shows of those that have ended, and of those that wait."""

ANSWER_SOON = 5.0  # s that a runner may take to say how it stands


@dataclass(frozen=True)
class OrderOptions:
    """How a job is carried out."""

    seed: Annotated[
        int | None, typer.Option(help="of everything random; fresh at every attempt when left out")
    ] = None
    preset: Preset = None
    after: Annotated[
        str | None,
        typer.Option(
            help='go on with the chip that this run left: a run file (simulated), or #JOB; "" for none, '
            "which a job that is edited to another bench needs"
        ),
    ] = None
    output: Output = None
    priority: Annotated[int | None, typer.Option(help="the highest goes first; 0 unless said otherwise")] = (
        None
    )
    force: Annotated[
        bool | None,
        typer.Option(
            "--force/--no-force", help="take limits that can hardly be meant as they are", show_default=False
        ),
    ] = None


class AddCommand(ProcedureCommand):
    """A verb that puts what it is given at the end of the queue."""

    plans = True


class EditCommand(ProcedureCommand):
    """A verb that changes a job, whose procedure says which options there are."""

    partial = True

    def procedure_of(self, given: Mapping[str, Any]) -> str:
        """Return the procedure of the job that is given by its number; no queue is made for that."""
        if given.get("number") is None or not queue_path().exists():
            return ""
        with Queue() as queue:
            return queue.job(given["number"]).order.procedure


@queue_app.command(cls=AddCommand)
@grouped
def add(
    context: typer.Context,
    procedure: Annotated[
        str,
        typer.Argument(
            help="solve, … and its arguments (`mho queue add solve --help`), or a plan (.toml)",
            show_default=False,
            autocompletion=completion.procedures,
        ),
    ],
    *,
    bench: Bench = "simulated",
    how: OrderOptions,
    labels: LabelOptions,
    trust: Trusted = False,
    json_: AsJson = False,
) -> None:
    """Append a run, or all runs of a plan, to the queue, after checking their input."""
    checked = labels.labels()
    if procedure.endswith(".toml"):
        plans.check_beside_plan(
            context, procedure, "procedure", "output", "priority", "trust", "json_", *LABELS
        )
        planned = job_queue.orders_of_plan(Path(procedure))
        plans.check_output(how.output, len(planned))
        with Queue() as queue:
            orders = job_queue.checked_all(
                [replace(one, output=how.output, labels=checked) for one in planned], queue
            )
            jobs = queue.add_all(orders, priority=how.priority or 0)
            typer.echo(as_json(jobs) if json_ else _numbers(jobs))
        return

    words = typed_parameters(context, how.seed)
    order = Order(
        procedure, words, bench, how.seed, how.preset, how.output, Path.cwd(), how.after or None, bool(how.force), checked
    )  # fmt: skip
    with Queue() as queue:
        expected = job_queue.expect(order, queue, run_display.asking(trust))
        _report(queue.add(expected.order, priority=how.priority or 0, estimate=expected.seconds), json_)


@queue_app.command("list")
def list_jobs(
    bench: AnyBench = None,
    status: Annotated[list[JobStatus] | None, typer.Option(help="only such jobs; may be repeated")] = None,
    all_: Annotated[
        bool, typer.Option("--all", help="not only the last that ended and the first that wait")
    ] = False,
    json_: AsJson = False,
) -> None:
    """Show what is not safe, what has run, what runs, and what waits, in this order."""
    statuses = status or tuple(JobStatus)
    with Queue() as queue:
        key = None if bench is None else _known(bench, queue)
        lanes = [lane for lane in queue.lanes() if key in (None, lane.bench)]
        if json_:
            jobs = [as_it_stands(job) for job in queue.jobs(key, statuses)]
            typer.echo(as_json({"benches": lanes, "jobs": jobs}))
            return
        jobs = (
            queue.jobs(key, statuses)
            if all_
            else queue.shown(key, statuses, ended=MOST_ENDED, waiting=MOST_WAITING)
        )
        totals = [
            total for total in queue.totals() if key in (None, total.bench) and total.status in statuses
        ]
        busy = dict.fromkeys(total.bench for total in totals if total.status not in ENDED)
        jobs = [as_it_stands(job) for job in jobs]
        print_jobs(jobs, lanes, {one: _runner(queue, one) for one in busy}, Terminal(), totals)


@queue_app.command()
def show(number: Number, json_: AsJson = False) -> None:
    """Show everything about a job."""
    with Queue() as queue:
        job = as_it_stands(queue.job(number))
        if json_:
            typer.echo(as_json(job))
        else:
            print_job(job, queue.lane(job.order.bench), Terminal())


@queue_app.command()
def pause(bench: Bench = "simulated") -> None:
    """Pause the running job at its next safe point, outputs idle, and start no other."""
    try:
        RunnerClient(queue_path(), bench).pause()
    except NoRunnerError:
        with Queue() as queue:
            queue.hold(_known(bench, queue), "paused by hand")


@queue_app.command()
def resume(bench: Bench = "simulated") -> None:
    """Resume the running job and the queue."""
    try:
        RunnerClient(queue_path(), bench).resume()
    except NoRunnerError:
        with Queue() as queue:
            queue.release(_known(bench, queue))


@queue_app.command()
def abort(
    number: Annotated[int | None, typer.Argument(help="a job; the running one if left out")] = None,
    bench: Bench = "simulated",
) -> None:
    """Stop the running job at its next safe point, or take a waiting one out of the line."""
    if number is not None:
        with Queue() as queue:
            job = queue.job(number)
            if job.status is JobStatus.QUEUED:
                queue.skip(number, "skipped by hand")
                return
            bench = job.order.bench
    RunnerClient(queue_path(), bench).abort(number)


@queue_app.command()
def stop(bench: Bench = "simulated") -> None:
    """Emergency stop: break off the running job at once, make the bench safe, and hold the queue."""
    with suppress(StorageError), Queue() as queue:  # a full disk must not block the bench
        _known(bench, queue)
    typer.echo(emergency_stop(queue_path(), bench))


@queue_app.command()
def acknowledge(bench: Bench = "simulated") -> None:
    """Record that outputs which could not be confirmed safe were made safe by hand: the queue no longer warns of them."""
    with Queue() as queue:
        lane = queue.lane(_known(bench, queue))
        if not lane.unsafe:
            raise QueueError(f"nothing of bench {lane.bench} waits to be confirmed safe")
        queue.acknowledge(lane.bench)
    typer.echo(f"taken on your word, no longer said: {lane.warning}")


@queue_app.command()
def move(
    number: Number,
    place: Annotated[int, typer.Argument(help="among the jobs that wait, from 1", min=1, show_default=False)],
) -> None:
    """Move a waiting job to another place in the line."""
    with Queue() as queue:
        queue.move(number, place)


@queue_app.command(cls=EditCommand)
@grouped
def edit(
    context: typer.Context,
    number: Number,
    *,
    bench: Annotated[
        str | None, typer.Option(help="another bench", autocompletion=completion.benches)
    ] = None,
    how: OrderOptions,
    sample: Annotated[str | None, typer.Option(help='another sample; "" for none')] = None,
    operator: Annotated[str | None, typer.Option(help='another operator; "" for none')] = None,
    project: Annotated[str | None, typer.Option(help='another project; "" for none')] = None,
    trust: Trusted = False,
    json_: AsJson = False,
) -> None:
    """Change a waiting job: its bench, seed, ground, labels and so on, and any argument of its procedure."""
    with Queue() as queue:
        job = queue.job(number)
        before = job.order
        words = typed_parameters(context, how.seed)
        given: dict[str, Any] = {
            "bench": bench, "seed": how.seed, "preset": how.preset, "output": how.output and how.output.resolve(),
            "force": how.force,
        }  # fmt: skip
        labels = {"sample": sample, "operator": operator, "project": project}
        order = replace(
            before,
            labels=replace(before.labels, **{name: one for name, one in labels.items() if one is not None}),
            parameters=before.parameters | words,
            after=before.after if how.after is None else how.after or None,
            **{name: value for name, value in given.items() if value is not None},
        )
        if order != before:
            expected = job_queue.expect(order, queue, run_display.asking(trust))
            job = queue.edit(number, expected.order, estimate=expected.seconds)
        if how.priority is not None:
            job = queue.set_priority(number, how.priority)
        _report(job, json_)


@queue_app.command()
def clone(
    source: Annotated[str, typer.Argument(help="a job's number, or a run file", show_default=False)],
    force: Annotated[
        bool, typer.Option("--force", help="of a run file, take limits that can hardly be meant as they are")
    ] = False,
    trust: Trusted = False,
    json_: AsJson = False,
) -> None:
    """Append a copy of a job, or of an earlier run, to the queue."""
    with Queue() as queue:
        if source.isdecimal():
            _report(queue.clone(int(source)), json_)
            return
        agreed = run_display.asking(trust)
        order = replace(
            job_queue.order_of_run(Path(source), agreed), force=force, labels=Labels.from_environment()
        )
        expected = job_queue.expect(order, queue, agreed)
        _report(queue.add(expected.order, estimate=expected.seconds), json_)


@queue_app.command()
def remove(number: Number) -> None:
    """Forget a job that is not being run; its run file stays."""
    with Queue() as queue:
        queue.remove(number)


@queue_app.command()
def clear(
    bench: AnyBench = None,
    waiting: Annotated[bool, typer.Option("--waiting", help="forget those that wait too")] = False,
) -> None:
    """Forget all jobs that have ended; run files stay."""
    statuses = (*ENDED, JobStatus.QUEUED) if waiting else ENDED
    with Queue() as queue:
        count = queue.clear(None if bench is None else _known(bench, queue), statuses)
    typer.echo(f"{count} job{'' if count == 1 else 's'} forgotten")


@queue_app.command()
def policy(
    on_failure: Annotated[Reaction | None, typer.Option(help="of a run")] = None,
    on_interruption: Annotated[
        Reaction | None, typer.Option(help="of a run, its worker or the machine")
    ] = None,
    retries: Annotated[int | None, typer.Option(min=0, help="how often a job is run again")] = None,
    bench: Bench = "simulated",
    json_: AsJson = False,
) -> None:
    """Set what follows when a run fails or is interrupted; without options, show it."""
    with Queue() as queue:
        lane = queue.lane(_known(bench, queue))
        given = {"on_failure": on_failure, "on_interruption": on_interruption, "retries": retries}
        changes = {name: value for name, value in given.items() if value is not None}
        if changes:
            lane = queue.set_policy(lane.bench, Policy(**{**vars(lane.policy), **changes}))
        if json_:
            typer.echo(as_json(lane))
        else:
            print_lanes([lane], Terminal())


@queue_app.command()
def watch(bench: Bench = "simulated") -> None:
    """Show what the runner does until it ends, or until Ctrl-C, which only ends the watching."""
    with (
        RunnerClient(queue_path(), bench).watch() as events,
        runner.RunnerDisplay(Terminal(stderr=True)) as display,
    ):
        for event in events:
            display.observe(event)


def _known(bench: str, queue: Queue) -> str:
    """Return the one name of a bench that the queue knows, or that can be loaded; else say what is wrong with it."""
    key = bench_key(bench)
    if key not in (lane.bench for lane in queue.lanes()):
        bench_file.load_bench_file(key)
    return key


def _runner(queue: Queue, bench: str) -> RunnerState | str | None:
    try:
        return RunnerClient(queue.path, bench).status(ANSWER_SOON)
    except NoRunnerError:
        return None
    except QueueError as error:
        return str(error)


def _numbers(jobs: list[Job]) -> str:
    match jobs:
        case []:
            return "no jobs"
        case [job]:
            return f"job {job.id}"
        case _:
            return f"jobs {jobs[0].id} to {jobs[-1].id}"


def _report(job: Job, json_: bool) -> None:
    typer.echo(as_json(job) if json_ else _numbers([job]))
