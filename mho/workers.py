"""Applies one function to many items on dask workers: in bounded memory, in any order, also when a worker dies."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from mho.errors import InputError

Item = TypeVar("Item")
Result = TypeVar("Result")

FIRST_WORKER = 10.0  # s that a scheduler may be without one
AHEAD = 4  # items queued at a worker, so that it never waits for the next


@dataclass(frozen=True)
class Done(Generic[Item, Result]):
    """One item that is done: its `result`, or its `error`."""

    item: Item
    result: Result | None
    error: BaseException | None


class Workers:
    """A set of dask workers, each one process with one thread, since a bench is not shared.

    Attributes
    ----------
    dashboard : str
        Where a browser can watch them.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self.dashboard = str(client.dashboard_link)

    def count(self) -> int:
        """Present number of workers."""
        return len(self._client.scheduler_info(n_workers=-1)["workers"])

    def spread(
        self, function: Callable[[Item], Result], items: Iterable[Item]
    ) -> Iterator[Done[Item, Result]]:
        """Apply `function` to each item and yield each that is done, in the order in which they end.

        Items are drawn while workers have room, so neither items nor results pile up. Another worker repeats the items of
        one that died, so `function` may be called twice for one item.
        """
        from distributed import as_completed

        left = iter(items)
        at_work: dict[Any, Item] = {}
        completed = as_completed()

        def submit(count: int) -> None:
            for item in itertools.islice(left, count):
                future = self._client.submit(function, item, pure=False)
                at_work[future] = item
                completed.add(future)

        submit(AHEAD * max(self.count(), 1))
        try:
            for future in completed:
                item, error = at_work.pop(future), future.exception()
                result = None if error is not None else future.result()
                submit(1)
                yield Done(item, result, error)
        finally:
            self._client.cancel(list(at_work))


@contextmanager
def dask_workers(workers: int = 2, scheduler: str = "") -> Iterator[Workers]:
    """Start a local cluster of `workers` on loopback, or join the one at `scheduler` (``tcp://host:port``).

    Raises
    ------
    InputError
        When dask.distributed is not installed, `scheduler` does not answer, or it has no workers.
    """
    try:
        import dask
        from distributed import Client, LocalCluster
    except ImportError:
        raise InputError(
            "workers need dask.distributed; install mho with its extra: 'mho[campaigns]'"
        ) from None
    logging.getLogger("distributed").setLevel(logging.ERROR)  # its news are of no use in the middle of a bar
    with ExitStack() as stack:
        # A worker that is killed again and again may take a healthy item with it: give that item more chances.
        stack.enter_context(dask.config.set({"distributed.scheduler.allowed-failures": 10}))
        if scheduler:
            try:
                client = Client(scheduler, timeout="10s")
            except (OSError, ValueError) as error:
                raise InputError(f"no dask scheduler answers at {scheduler!r}: {error}") from None
        else:
            cluster = stack.enter_context(
                LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    processes=True,
                    host="127.0.0.1",
                    dashboard_address="127.0.0.1:0",
                    silence_logs=50,
                )
            )
            client = Client(cluster)
        started = Workers(stack.enter_context(client))
        if scheduler:
            _see_to_workers(started, scheduler)
        yield started


def _see_to_workers(joined: Workers, scheduler: str) -> None:
    """Wait briefly for the first worker, and raise if there is none: tasks would wait forever."""
    deadline = time.monotonic() + FIRST_WORKER
    while joined.count() == 0:
        if time.monotonic() > deadline:
            raise InputError(
                f"the dask scheduler at {scheduler!r} has no worker; start one: dask worker {scheduler} --nthreads 1"
            )
        time.sleep(0.1)
