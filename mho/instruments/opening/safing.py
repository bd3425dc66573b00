"""Making a bench safe outside a run: after a crash, or when it was left on."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from mho.errors import BenchError, BenchInUseError, MhoError, UnsafeError
from mho.former_names import current_name
from mho.instruments.bench.instruments import NO_OUTPUTS, SAFE_ORDER, make_safe, not_confirmed, read_back
from mho.instruments.bench.stop_requests import signals_held
from mho.instruments.bench_file.bench_file import BenchSource, load_bench_file
from mho.instruments.opening.opening import bench_openers
from mho.instruments.roles import Instrument
from mho.own_code import is_mhos_own
from mho.processes import end_whole

# By which a driver of one's own is asked, by role
ASKED = {
    "board": "`standing_mode()`, which asks for its mode",
    "": "the property `output_enabled`, which asks whether it is on",
}
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
    dict of str to str
        Identifications by role, in the order in which they were made safe.

    Raises
    ------
    UnsafeError
        Naming what could not be confirmed, after all instruments were tried.
    BenchError
        For a wrong bench file, or a bench in use; nothing was tried.
    """
    return confirm_bench_safe(name).identities


@dataclass(frozen=True)
class Confirmation:
    """A bench that was made safe."""

    identities: dict[str, str]  # identification by role, in the order in which they were made safe
    at: float  # when it was confirmed, still under the lock, Unix time, s
    left_on: tuple[str, ...]  # roles whose outputs were on before, as far as they can be asked


def confirm_bench_safe(name: str) -> Confirmation:
    """Make a bench safe, and read its outputs back before and after; errors as `make_bench_safe`.

    A driver that is none of mho's own is not believed when it says that it has made its instrument safe, but when it
    answers that no output is on.
    """
    failed: dict[str, Exception] = {}
    opened: dict[str, Any] = {}
    source = load_bench_file(name)
    with ExitStack() as stack, signals_held():
        openers, _ = stack.enter_context(bench_openers(source))
        for role in sorted(openers, key=_in_safe_order):
            try:
                opened[role] = openers[role]()
            except Exception as error:  # a driver's bug must not leave the other instruments on
                failed[role] = error
            else:
                stack.callback(opened[role].close)
        left_on = tuple(role for role, instrument in opened.items() if _is_on(role, instrument))
        failed = make_safe(opened, failed)
        failed |= _disbelieved(source, {role: one for role, one in opened.items() if role not in failed})
        if failed:
            raise not_confirmed(failed, left_on, source.bench.instruments.title)
        confirmed = time.time()
        identities = {role: instrument.identify() for role, instrument in opened.items()}
        return Confirmation(identities, confirmed, left_on)


def _in_safe_order(role: str) -> int:
    """Return the place of a role among those that are made safe; what is beside the bench comes last."""
    return SAFE_ORDER.index(role) if role in SAFE_ORDER else len(SAFE_ORDER)


def _is_on(role: str, instrument: Instrument) -> bool:
    """Return whether an instrument answers that an output is on, before it is made safe, which asks again."""
    try:
        return bool(read_back(role, instrument))
    except Exception:  # a driver's bug, or no answer: it is made safe next, and that is told
        return False


def _disbelieved(source: BenchSource, opened: Mapping[str, Instrument]) -> dict[str, Exception]:
    """Return, by role, why an instrument with a driver that is none of mho's own is not known to be safe."""
    errors: dict[str, Exception] = {}
    for role, instrument in opened.items():
        driver = str(source.bench.instruments.entry(role).driver)
        if role in NO_OUTPUTS or ":" not in driver or is_mhos_own(current_name(driver)):
            continue
        try:
            on = read_back(role, instrument)
        except Exception as error:
            errors[role] = error
            continue
        if on is None:
            errors[role] = BenchError(
                f"unknown: {driver} cannot be asked; give it {ASKED.get(role, ASKED[''])}"
            )
        elif on:
            errors[role] = BenchError(f"{driver} says that it made it safe, and answers that an output is on")
    return errors


def _made_safe_in_time(name: str) -> Confirmation:
    """Make a bench safe once it is free; an ending run, or another safing, may hold it for a moment."""
    deadline = time.monotonic() + FREE_WITHIN
    while True:
        try:
            return confirm_bench_safe(name)
        except BenchInUseError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.05)


def main(arguments: Sequence[str]) -> None:
    """Make a bench safe and print the result as JSON.

    `arguments`: the bench; then, optionally, a process to end before: its id, and a mark as for `end_whole`.
    """
    name, *before = arguments
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stderr)
    if before:
        end_whole(int(before[0]), *before[1:])
    reason = ""
    live: tuple[str, ...] = ()
    left_on: tuple[str, ...] = ()
    confirmed: float | None = None
    try:
        done = _made_safe_in_time(name)
        confirmed, left_on = done.at, done.left_on
    except UnsafeError as error:
        reason, live, left_on = str(error), error.live, error.left_on
    except (MhoError, OSError) as error:
        reason = str(error) or type(error).__name__
    except Exception as error:  # report a driver's bug as well: the caller waits for an answer
        logging.getLogger(__name__).exception("bench %s was not made safe", name)
        reason = f"{type(error).__name__}: {error}"
    answer = {"safe": not reason, "reason": reason, "live": live, "confirmed": confirmed, "left_on": left_on}
    print(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1:])
