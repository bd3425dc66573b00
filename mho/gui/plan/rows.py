"""The rows of a plan: an order each, what one types into its cells, and the runs of a plan file that they are."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from mho.errors import InputError, MhoError
from mho.gui.experiments.sweeps import swept
from mho.input_files import bench_key
from mho.own_code import names_file
from mho.running import queue as job_queue
from mho.runs import Labels

MOST_ROWS = 10_000
"""Runs that a table takes; `mho campaign` carries out plans that have more."""

BUSY = 0.2
"""Time for which the session's background thread checks rows before it turns to what else waits, s."""

Forms = Mapping[str, Mapping[str, Any]]
"""Parameters, by procedure and name."""


@dataclass(frozen=True)
class PlanRow:
    """A run of the plan. Its order's values are in the parameters' units, and its paths absolute.

    `id` is its name for the table; `after` is the id of the row whose simulated chip it goes on with.
    """

    id: int
    order: job_queue.Order
    after: int | None = None

    @cached_property
    def facts(self) -> str:
        """Everything on which its expected time depends: rows that differ only in their seed have the same."""
        order = self.order
        values = {key: one for key, one in order.parameters.items() if key != "seed" or one != order.seed}
        return repr(replace(order, parameters=values, seed=None, labels=Labels()))


@dataclass(frozen=True)
class Check:
    """What is known of a row without a bench: its order in full and what it takes, or why it is refused."""

    expected: job_queue.Expected | None = None
    refusal: str = ""

    @property
    def seconds(self) -> float | None:
        """Expected wall time, s; None when that is not known."""
        return None if self.expected is None else self.expected.seconds


@dataclass(frozen=True)
class OpenedPlan:
    """A plan file as it was read: its orders, and for each the place of the one whose chip it goes on with, or None."""

    path: Path
    text: str
    name: str
    description: str
    orders: Sequence[job_queue.Order]
    after: Sequence[int | None]
    forms: Forms = field(default_factory=dict)


def complete(orders: Sequence[job_queue.Order]) -> tuple[list[job_queue.Order], Forms]:
    """Return orders with plain values and absolute paths, and the parameters of their procedures.

    `MhoError` for a value that its parameter refuses.
    """
    from mho.procedures.catalogue import accepted, form_named
    from mho.running.plan import located

    forms = {order.procedure: form_named(order.procedure) for order in orders}
    made = []
    for order in orders:
        form = forms[order.procedure]
        values = {
            key: accepted(form[key], key, located(value, order.folder))
            for key, value in order.parameters.items()
            if key in form and value is not None
        }
        if order.seed is not None and "seed" in form:  # in a plan the run's seed would stand in for it
            values.setdefault("seed", form["seed"].default)
        made.append(replace(order, parameters=values, bench=bench_key(order.bench)))
    return made, forms


def open_plan(path: Path, labels: Labels) -> OpenedPlan:
    """Read a plan file; `InputError` for anything wrong in it, and for more runs than `MOST_ROWS`."""
    from mho.procedures.catalogue import form_named
    from mho.running.plan import load_plan

    path = path.resolve()
    plan = load_plan(path, MOST_ROWS)
    orders = [
        job_queue.Order(
            run.procedure, dict(run.parameters), bench_key(run.bench), run.seed, run.preset, labels=labels,
            folder=path.parent if _names_module(run.procedure, run.parameters) else Path.cwd(),
        )
        for run in plan.runs
    ]  # fmt: skip
    forms = {name: form_named(name) for name in dict.fromkeys(order.procedure for order in orders)}
    after = [None if run.after is None else run.after - 1 for run in plan.runs]
    return OpenedPlan(path, plan.text, plan.name, plan.description, orders, after, forms)


def _names_module(procedure: str, values: Mapping[str, Any]) -> bool:
    """Return whether a run may need a module beside the plan; else, with absolute paths, its folder does not matter."""
    texts = [procedure, *(value for value in values.values() if isinstance(value, str))]
    return any(":" in text and not names_file(text) for text in texts)


def text_of(name: str, description: str, rows: Sequence[PlanRow], folder: Path) -> str:
    """Return the text of a plan file in `folder`; `InputError` for a row that no plan file can describe."""
    from mho.running.plan import PlannedRun
    from mho.running.plan_text import plan_text

    numbers = {row.id: number for number, row in enumerate(rows, 1)}
    runs = []
    for number, row in enumerate(rows, 1):
        order = row.order
        if order.after is not None or order.force:
            what = (
                "takes limits as they are (--force)"
                if order.force
                else f"goes on with the chip of {order.after}"
            )
            raise InputError(
                f"run {number} {what}, which a plan file cannot say; queue it from here, or remove it"
            )
        after = None if row.after is None else numbers[row.after]
        runs.append(
            PlannedRun(
                number, order.procedure, order.parameters, order.bench, order.preset, order.seed, after
            )
        )
    return plan_text(name, description, runs, folder)


def with_seed(order: job_queue.Order, seed: int | None, forms: Forms) -> job_queue.Order:
    """Return an order with another seed, which a procedure's own parameter `seed` follows as in `mho run`."""
    from mho.procedures.catalogue import accepted

    form, values = forms[order.procedure], dict(order.parameters)
    if "seed" in form:
        values.pop("seed", None)
        if seed is not None:
            values["seed"] = accepted(form["seed"], "seed", seed)
    return replace(order, parameters=values, seed=seed)


def typed(order: job_queue.Order, key: str, text: str, forms: Forms) -> list[job_queue.Order]:
    """Return an order with what was typed into the column `key`: several, where it names several values.

    `key`: a parameter's, or ``run seed``, ``bench`` or ``preset``. `MhoError` for what cannot be meant: which, the value,
    what is allowed.
    """
    from mho.procedures.catalogue import accepted
    from mho.running.plan import located

    text = text.strip()
    if key == SEED:
        return [with_seed(order, _seed(one), forms) for one in swept(text, "", "the seed") or [text]]
    if key == PRESET:
        return [replace(order, preset=one or None) for one in swept(text, "", key) or [text]]
    if key == BENCH:
        if not text:
            raise InputError("bench is empty; name a bench, or the path of a bench file")
        return [replace(order, bench=bench_key(text))]
    parameter = forms[order.procedure][key]
    if not text:
        if parameter.default == "":
            raise InputError(f"{key} is empty; it must be given")
        return [
            replace(order, parameters={name: one for name, one in order.parameters.items() if name != key})
        ]
    values = swept(text, getattr(parameter, "units", None) or "", key) or [text]
    if len(values) > MOST_ROWS:
        raise InputError(f"{key} names {len(values):,} values, more than {MOST_ROWS:,}")
    return [
        replace(
            order, parameters=order.parameters | {key: accepted(parameter, key, located(one, order.folder))}
        )
        for one in values
    ]


SEED, PRESET, BENCH = "run seed", "preset", "bench"


def _seed(text: str) -> int | None:
    if not text:
        return None
    if not (text.isdecimal() and text.isascii() and len(text) < 20 and int(text) < 2**63):
        raise InputError(f"the seed is {text!r}; it must be a whole number from 0, or empty")
    return int(text)


@dataclass(frozen=True)
class Unchecked:
    """A row to be checked: its key among the checks, its order, and the check of the row whose chip it goes on with."""

    key: int
    order: job_queue.Order
    before: Check | None = None


def check_some(rows: Sequence[Unchecked], queue: job_queue.Queue) -> dict[int, Check]:
    """Check rows as the queue would, for `BUSY` seconds at most but at least one; return what was found by key."""
    began, found = time.monotonic(), dict[int, Check]()
    for row in rows:
        found[row.key] = _check(row, queue)
        if time.monotonic() - began > BUSY:
            break
    return found


def _check(row: Unchecked, queue: job_queue.Queue) -> Check:
    order = row.order
    planned: tuple[float | None, ...] = ()
    if row.before is not None:
        if row.before.refusal:
            return Check(refusal="the run whose chip it goes on with is refused")
        order, planned = replace(order, after=f"{job_queue.WITHIN}1"), (row.before.seconds,)
    try:
        return Check(job_queue.expect(order, queue, planned=planned))
    except MhoError as error:
        return Check(refusal=str(error))


def queue_rows(
    rows: Sequence[tuple[PlanRow, Check]], jobs: Mapping[int, int], queue: job_queue.Queue
) -> list[job_queue.Job]:
    """Queue checked rows that have no job in `jobs`, by id, behind all others and in their order; all of them or none.

    On real instruments each goes on from the one before it on its bench, whose chip it has.
    """
    from mho.instruments.bench_file import is_real

    real = {bench: is_real(bench) for bench in {row.order.bench for row, _ in rows}}
    chips: dict[int | str, str] = {}  # the job that left a chip, by row, and by bench of real instruments
    orders: list[tuple[job_queue.Order, float | None]] = []
    for row, check in rows:
        bench = row.order.bench
        if row.id in jobs:
            chips[row.id] = chips[bench] = f"#{jobs[row.id]}"
            continue
        assert check.expected is not None
        order = check.expected.order
        before = chips.get(bench) if real[bench] else None if row.after is None else chips[row.after]
        orders.append((replace(row.order, bench=order.bench, after=before or order.after), check.seconds))
        chips[row.id] = chips[bench] = f"{job_queue.WITHIN}{len(orders)}"
    return queue.add_all(orders)
