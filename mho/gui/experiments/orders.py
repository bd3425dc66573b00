"""Checks and estimates the form's orders, in another thread because the procedures take long to load."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mho.gui.experiments.procedure_list import ProcedureOffer

if TYPE_CHECKING:
    from mho.running.queue import Expected, Order


def in_words(expected: Expected) -> str:
    """Format duration and number of pulses."""
    from mho.running.queue import expected_text

    pulses = {None: "", 0: ", no pulses"}.get(expected.pulses, f", about {expected.pulses or 0:,} pulses")
    return f"duration {expected_text(expected.seconds)}{pulses}"


def known_offers() -> list[ProcedureOffer]:
    """Return what `procedures` offers; loads all of it, which takes a second or two."""
    from mho.procedures.catalogue import known_procedures

    return [offer_of(name) for name in known_procedures()]


def offer_of(name: str) -> ProcedureOffer:
    """Return the offer of one procedure; `InputError` when there is none."""
    from mho.procedures.catalogue import find_procedure

    return ProcedureOffer.of(name, find_procedure(name))


def is_simulated(bench: str) -> bool:
    """Return whether a bench is simulated; `BenchError` for a wrong bench file."""
    from mho.instruments.bench_file import load_bench_file

    return load_bench_file(bench).bench.simulation is not None


def expect_at(order: Order, path: Path) -> Expected:
    """Check an order as the queue at `path` would, and say what it will take; `MhoError` for what is wrong with it."""
    from mho.running.queue import Queue, expect

    with Queue(path) as queue:
        return expect(order, queue)
