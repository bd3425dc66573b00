"""Orders that the form makes: checked and estimated in another thread, with what takes long to load."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.quantities import duration_text
from gui.experiments_list import Offer

if TYPE_CHECKING:
    from procedures.queue.job import Order


@dataclass(frozen=True)
class Expected:
    """An order that was checked, and what it will take: pulses, and wall time (s); None for what is not known."""

    order: Order
    pulses: int | None
    seconds: float | None


def in_words(expected: Expected) -> str:
    """Say how long, and with how many pulses."""
    time = "" if expected.seconds is None else f"about {duration_text(expected.seconds)}"
    pulses = "" if expected.pulses is None else f"about {expected.pulses:,} pulses"
    return ", ".join(filter(None, [time, pulses])) or "nothing is known yet of how long it takes"


def known_offers() -> list[Offer]:
    """Return what `procedures` offers; loads all of it, which takes a second or two."""
    from procedures.catalogue import known_procedures

    return [offer_of(name) for name in known_procedures()]


def offer_of(name: str) -> Offer:
    """Return the offer of one procedure; `InputError` when there is none."""
    from procedures.catalogue import find_procedure

    return Offer.of(name, find_procedure(name))


def is_simulated(bench: str) -> bool:
    """Tell whether a bench is simulated; `BenchError` for a wrong bench file."""
    from instruments.bench_file import load_bench_file

    return load_bench_file(bench).bench.simulation is not None


def expect(order: Order, path: Path) -> Expected:
    """Check an order as the queue at `path` would, and say what it will take; `MhoError` for what is wrong with it."""
    from instruments.bench_file import load_bench_file
    from procedures.catalogue import make_procedure
    from procedures.queue.ordering import expected_seconds, ground
    from procedures.queue.store import Queue

    with Queue(path) as queue, contextlib.chdir(order.folder):
        source = load_bench_file(order.bench)
        simulated = source.bench.simulation is not None
        if order.after is not None:
            ground(order, queue, simulated=simulated)
        procedure = make_procedure(order.procedure, order.parameters)
        procedure.check()
        estimate = procedure.estimate(source)
        last = queue.last_finished(order)
    seconds = expected_seconds(estimate, last, simulated=simulated)
    return Expected(order, estimate.pulses, seconds)
