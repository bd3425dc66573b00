"""Making a bench safe from outside of a run: after a crash, or when somebody has left it on."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from instruments.bench_file import load_bench_file
from instruments.bench_instruments import SAFE_ORDER, make_safe, not_confirmed
from instruments.opening import bench_openers
from instruments.stopping import signals_held


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
        return {role: instrument.identify() for role, instrument in opened.items()}
