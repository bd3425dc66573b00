"""Making a bench safe from outside of a run: after a crash, or when somebody has left it on."""

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

FREE_WITHIN = 5.0  # s for who has the bench to let go of it


def make_bench_safe(name: str) -> dict[str, str]:
    """Bring every output of a bench to 0 V and off, confirmed by read-back.

    Each instrument by itself: one that cannot be opened keeps no other from being made safe. Signals wait.

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
        After all were tried, naming what could not be confirmed.
    BenchError
        For a wrong bench file, or a bench in use; nothing was tried.
    """
    return confirm_bench_safe(name)[0]


def confirm_bench_safe(name: str) -> tuple[dict[str, str], float]:
    """As `make_bench_safe`; return as well when that was confirmed, Unix time, s: before anybody else had the bench."""
    failed: dict[str, Exception] = {}
    opened: dict[str, Any] = {}
    with ExitStack() as stack, signals_held():
        openers, _ = stack.enter_context(bench_openers(load_bench_file(name)))
        for role in (role for role in SAFE_ORDER if role in openers):
            try:
                opened[role] = openers[role]()
            except Exception as error:  # a driver's bug must not leave the others on, either
                failed[role] = error
            else:
                stack.callback(opened[role].close)
        failed = make_safe(opened, failed)
        if failed:
            raise not_confirmed(failed)
        confirmed = time.time()
        return {role: instrument.identify() for role, instrument in opened.items()}, confirmed


def _made_safe_in_time(name: str) -> float:
    """Make a bench safe once it is free, return when: who is ending, or makes it safe as well, has it for a moment."""
    deadline = time.monotonic() + FREE_WITHIN
    while True:
        try:
            return confirm_bench_safe(name)[1]
        except BenchInUseError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.05)


def main(arguments: Sequence[str]) -> None:
    """Make a bench safe and print as JSON what came of it.

    Parameters
    ----------
    arguments : sequence of str
        The bench; and what is ended before, if anything: a process id, and a mark as for `end_whole`.
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
    except Exception as error:  # a driver's bug, too, is an answer to who waits for one
        logging.getLogger(__name__).exception("bench %s was not made safe", name)
        reason = f"{type(error).__name__}: {error}"
    print(json.dumps({"safe": not reason, "reason": reason, "live": live, "confirmed": confirmed}))


if __name__ == "__main__":
    main(sys.argv[1:])
