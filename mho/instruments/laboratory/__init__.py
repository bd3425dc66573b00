"""Twins and chip wired together as a bench file says; accidents, monitor, serving, twins that stand in for real ones.

- `laboratory`: one chip, clock and seed;
- `chip_basis`: what it shares with the bench without instruments;
- `bench_twins`: the twins, each wired to its lines of the chip;
- `chip_lines`, `block_circuits`: what the lines do to cells, and what a block in a closed circuit answers;
- `accidents`: what a fault does; `monitor`: what was seen on the wires;
- `serving`: the twins on sockets; `twins_for_real`: twins in place of real instruments; `untwinned`: where there is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.instruments.laboratory.laboratory import Laboratory
    from mho.instruments.laboratory.monitor import AMPLIFIER_LIMIT, SLACK, Extremes, Incident
    from mho.instruments.laboratory.serving import Server, serve_bench, served_text, write_served
    from mho.instruments.laboratory.twins_for_real import stand_in
    from mho.instruments.laboratory.untwinned import missing_twins
else:
    from mho.lazy_names import lazy_names

    # Loaded when they are asked for (PEP 562): the bench without instruments needs no twin.
    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = [
    "AMPLIFIER_LIMIT", "SLACK", "Extremes", "Incident", "Laboratory", "Server", "missing_twins", "serve_bench",
    "served_text", "stand_in", "write_served",
]  # fmt: skip
