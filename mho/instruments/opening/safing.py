"""Making a bench safe outside a run: after a crash, or when it was left on."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from mho.errors import BenchInUseError, MhoError, UnsafeError
from mho.instruments.bench.instruments import SAFE_ORDER, make_safe, not_confirmed
from mho.instruments.bench.stop_requests import signals_held
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.opening.opening import bench_openers
from mho.processes import end_whole

FREE_WITHIN = 5.0  # s, for the holder of the bench to release it


def make_bench_safe(name: str) -> dict[str, str]:
    """Take every output of a bench to 0 V and off, confirmed by read-back.

    Each instrument separately: one that cannot be opened does not keep the others from being made safe. Signals are
    held back meanwhile.

    Parameters
    ----------
    name : str
        A packaged bench or a bench file.

    Returns
    -------
    dict
        Identification by role, in the order in which they were made safe.

    Raises
    ------
    UnsafeError
        Naming what could not be confirmed, after all instruments were tried.
    BenchError
        For a wrong bench file, or a bench in use; nothing was tried.
    """
    return confirm_bench_safe(name)[0]


def confirm_bench_safe(name: str) -> tuple[dict[str, str], float]:
    """Make a bench safe; return the identifications, and the Unix time (s) of the confirmation, still under the lock."""
    failed: dict[str, Exception] = {}
    opened: dict[str, Any] = {}
    with ExitStack() as stack, signals_held():
        openers, _ = stack.enter_context(bench_openers(load_bench_file(name)))
        for role in (role for role in SAFE_ORDER if role in openers):
            try:
                opened[role] = openers[role]()
            except Exception as error:  # a driver's bug must not leave the other instruments on
                failed[role] = error
            else:
                stack.callback(opened[role].close)
        failed = make_safe(opened, failed)
        if failed:
            raise not_confirmed(failed)
        confirmed = time.time()
        return {role: instrument.identify() for role, instrument in opened.items()}, confirmed


def _made_safe_in_time(name: str) -> float:
    """Make a bench safe once it is free and return when; an ending run, or another safing, may hold it for a moment."""
    deadline = time.monotonic() + FREE_WITHIN
    while True:
        try:
            return confirm_bench_safe(name)[1]
        except BenchInUseError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.05)


def main(arguments: Sequence[str]) -> None:
    """Make a bench safe and print the result as JSON.

    Parameters
    ----------
    arguments : sequence of str
        The bench; then, optionally, a process to end before: its id, and a mark as for `end_whole`.
    """
    name, *before = arguments
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stderr)
    if before:
        end_whole(int(before[0]), *before[1:])
    reason = ""
    live: tuple[str, ...] = ()
    confirmed: float | None = None
    try:
        confirmed = _made_safe_in_time(name)
    except UnsafeError as error:
        reason, live = str(error), error.live
    except (MhoError, OSError) as error:
        reason = str(error) or type(error).__name__
    except Exception as error:  # report a driver's bug as well: the caller waits for an answer
        logging.getLogger(__name__).exception("bench %s was not made safe", name)
        reason = f"{type(error).__name__}: {error}"
    print(json.dumps({"safe": not reason, "reason": reason, "live": live, "confirmed": confirmed}))


if __name__ == "__main__":
    main(sys.argv[1:])
