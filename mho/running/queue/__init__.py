"""The durable queue: jobs, their policy, what they are expected to take, and the SQLite file that stores them.

- `store`: the jobs, which of them is next, and every change, by any number of processes; `database`: its tables;
- `job`: what a job and the lane of a bench are; `orders`: what is queued, checked; `progress`: the time that is left;
- `bench_notices`: what the queue hears of a bench's safety.

The names are loaded when they are asked for (PEP 562): a worker, which every job starts anew, needs no SQLite.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.running.queue.bench_notices import tell_queue
    from mho.running.queue.database import StorageError
    from mho.running.queue.job import (
        ACTIVE,
        BY_HAND,
        ENDED,
        WITHIN,
        Job,
        JobStatus,
        Lane,
        Order,
        Policy,
        Reaction,
        Total,
        duration,
        expected_sum,
        expected_text,
        expected_together,
    )
    from mho.running.queue.orders import (
        Expected,
        able_benches,
        checked_all,
        expect,
        order_of_run,
        orders_of_plan,
        own_seconds,
    )
    from mho.running.queue.store import NO_REVISION, Queue, queue_path
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = [
    "ACTIVE", "BY_HAND", "ENDED", "NO_REVISION", "WITHIN", "Expected", "Job", "JobStatus", "Lane", "Order", "Policy",
    "Queue", "Reaction", "StorageError", "Total", "able_benches", "checked_all", "duration", "expect", "expected_sum",
    "expected_text", "expected_together", "order_of_run", "orders_of_plan", "own_seconds", "queue_path",
    "tell_queue",
]  # fmt: skip
