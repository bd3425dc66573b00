"""What a bench does with a prober and an oscilloscope of one's own: brings a die, records an act; answers are checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mho.errors import InstrumentError
from mho.instruments.bench.testers import ask, name_of, nonsense
from mho.instruments.roles import Observation, Oscilloscope, Prober


def bring_die(prober: Prober, die: str) -> None:
    """Lift the probes, bring a die under them, and let them touch, each read back; the caller has switched all sources off.

    `InstrumentError` when the prober reports another die, or probes that touch where they should not.
    """
    ask(prober, "separate")
    if standing_at(prober)[1]:
        raise InstrumentError(
            f"{name_of(prober)} reports that its probes touch after it has lifted them: look at them"
        )
    ask(prober, "move_to", die)
    _confirm(prober, (die, False))
    ask(prober, "contact")
    _confirm(prober, (die, True))


def standing_at(prober: Prober) -> tuple[str, bool]:
    """Return the die under the probes and whether they touch; `InstrumentError` for an answer that is neither."""
    answer: Any = ask(prober, "where")
    if not (isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[0], str)):
        raise nonsense(prober, "where", answer, "a die's name and whether the probes touch")
    return answer[0], bool(answer[1])


def _confirm(prober: Prober, expected: tuple[str, bool]) -> None:
    there = standing_at(prober)
    if there != expected:
        touching = [f"{die!r} with the probes {'down' if down else 'up'}" for die, down in (there, expected)]
        raise InstrumentError(
            f"{name_of(prober)} reports {touching[0]} instead of {touching[1]}: look at the prober"
        )


def recorded(
    scope: Oscilloscope, act: Callable[[], object], duration: float, samples: int, count: int
) -> Observation:
    """Return what `count` channels of an oscilloscope recorded of an act; `InstrumentError` for what cannot be."""
    ask(scope, "arm", duration, samples)
    act()
    answer = ask(scope, "fetch")
    wanted = f"times ({samples},) and volts ({count}, {samples})"
    try:
        times, volts = (np.asarray(one, np.float64) for one in answer)
    except (TypeError, ValueError):
        raise nonsense(scope, "fetch", answer, wanted) from None
    if (times.shape, volts.shape) != ((samples,), (count, samples)) or np.any(np.diff(times) <= 0.0):
        raise nonsense(scope, "fetch", answer, f"{wanted}, one time after the other")
    if not (np.isfinite(times).all() and np.isfinite(volts).all()):
        raise nonsense(scope, "fetch", answer, f"{wanted}, finite, in s and V")
    return Observation(times, volts)
