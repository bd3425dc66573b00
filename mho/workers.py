"""Applies one function to many items on dask workers: in bounded memory, in any order, also when a worker dies."""

from __future__ import annotations

import itertools
import logging
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from mho.errors import InputError, WorkersLostError, needing

Item = TypeVar("Item")
Result = TypeVar("Result")

CONNECTING = 10.0  # s until a scheduler has answered
FIRST_WORKER = 10.0  # s that a scheduler may be without one
# Dask gives an item up when four workers have died that had it, also one that was only near another that kills workers.
CHANCES = 3  # how often an item is given to it again
RECOUNT = 1.0  # s between two looks at how many workers there are
AHEAD = 4  # items queued at a worker, so that it never waits for the next


@dataclass(frozen=True)
class Done(Generic[Item, Result]):
    """One item that is done: its `result`, or its `error`."""

    item: Item
    result: Result | None
    error: BaseException | None


class Workers:
    """A set of dask workers, each one process with one thread, since a bench is not shared."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._scheduler = str(client.scheduler.address)
        self.dashboard = str(client.dashboard_link)  # where a browser can watch them

    def count(self) -> int:
        """Present number of workers."""
        return len(self._client.scheduler_info(n_workers=-1)["workers"])

    def spread(
        self, function: Callable[[Item], Result], items: Iterable[Item]
    ) -> Iterator[Done[Item, Result]]:
        """Apply `function` to each item and yield each that is done, in the order in which they end.

        Items are drawn while workers have room, so neither items nor results pile up. Another worker repeats the items of
        one that died, so `function` may be called twice for one item.

        `WorkersLostError` where the scheduler is gone.
        """
        from distributed import KilledWorker, as_completed

        left = iter(items)
        at_work: dict[Any, tuple[Item, int]] = {}  # with the number of times that dask gave it up
        completed = as_completed()

        def submit(item: Item, given_up: int = 0) -> None:
            future = self._client.submit(function, item, pure=False)
            at_work[future] = item, given_up
            completed.add(future)

        try:
            for item in itertools.islice(left, AHEAD * max(self.count(), 1)):
                submit(item)
            counted = time.monotonic()
            for future in completed:
                item, given_up = at_work.pop(future)
                result, error = self._outcome_of(future)
                if isinstance(error, KilledWorker) and given_up < CHANCES:
                    submit(item, given_up + 1)
                    continue
                room = 1
                if time.monotonic() - counted > RECOUNT:  # workers come and go
                    room, counted = AHEAD * max(self.count(), 1) - len(at_work), time.monotonic()
                for following in itertools.islice(left, max(room, 0)):
                    submit(following)
                yield Done(item, result, error)
        finally:
            if self._client.status == "running":
                self._client.cancel(list(at_work))

    def _outcome_of(self, future: Any) -> tuple[Any, BaseException | None]:
        """Return the result of a future that is over, or its error; of a worker that died since it is waited for again."""
        try:
            error = future.exception()
            result = None if error is not None else future.result()
        except CancelledError:  # nothing else cancels what is waited for here
            result = error = None
        if future.cancelled():
            raise WorkersLostError(f"the connection to the dask scheduler at {self._scheduler} is lost")
        return result, error


@dataclass(frozen=True)
class Certificates:
    """PEM files for a scheduler at ``tls://``: the authority, and certificate and key of this process.

    What is not given is taken from dask's configuration (``distributed.comm.tls``).
    """

    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


CONFIGURED = Certificates()  # whatever dask's configuration names


@contextmanager
def dask_workers(
    workers: int = 2, scheduler: str = "", certificates: Certificates = CONFIGURED
) -> Iterator[Workers]:
    """Start a local cluster of `workers` on loopback, or join the one at `scheduler` (``tcp://host:port``, ``tls://``).

    `InputError` when dask.distributed is not installed, `scheduler` does not answer, it has no workers, or a
    certificate is missing or not accepted.
    """
    with needing("work on several processes", "distributed", "bokeh"):
        from distributed import LocalCluster
    # What it has to tell is told by what is raised
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with ExitStack() as stack:
        if scheduler:
            client = _joined(scheduler, certificates)
        else:
            from distributed import Client

            cluster = stack.enter_context(
                LocalCluster(
                    n_workers=workers, threads_per_worker=1, processes=True, host="127.0.0.1",
                    dashboard_address="127.0.0.1:0", silence_logs=50,
                )
            )  # fmt: skip
            client = Client(cluster)
        started = Workers(stack.enter_context(client))
        if scheduler:
            _see_to_workers(started, scheduler)
        yield started


def _joined(scheduler: str, certificates: Certificates) -> Any:
    """Return a client of the scheduler at an address."""
    from distributed import Client, Security

    files = {
        "tls_ca_file": certificates.authority, "tls_client_cert": certificates.certificate,
        "tls_client_key": certificates.key,
    }  # fmt: skip
    for path in filter(None, files.values()):
        if not path.is_file():
            raise InputError(f"the certificate file {path} is not there; give the path of a PEM file")
    given = {name: str(path) for name, path in files.items() if path is not None}
    if given and not scheduler.startswith("tls://"):
        raise InputError(f"certificates are for a scheduler at tls://, not for {scheduler!r}")
    security = Security(require_encryption=True, **given) if scheduler.startswith("tls://") else None
    if security is not None and not (security.tls_ca_file and security.tls_client_cert):
        raise InputError(
            f"the scheduler at {scheduler} asks for certificates: give --tls-ca, --tls-cert and --tls-key, or name them "
            "in dask's configuration (distributed.comm.tls)"
        )
    try:
        return Client(scheduler, timeout=CONNECTING, security=security)
    except ssl.SSLError as error:
        raise InputError(f"a certificate for {scheduler} cannot be used: {error}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"no dask scheduler answers at {scheduler!r}: {error}") from None


def _see_to_workers(joined: Workers, scheduler: str) -> None:
    """Wait briefly for the first worker, and raise if there is none: tasks would wait forever."""
    deadline = time.monotonic() + FIRST_WORKER
    while joined.count() == 0:
        if time.monotonic() > deadline:
            raise InputError(
                f"the dask scheduler at {scheduler!r} has no worker; start one: dask worker {scheduler} --nthreads 1"
            )
        time.sleep(0.1)
