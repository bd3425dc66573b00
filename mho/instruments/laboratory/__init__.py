"""Twins and chip wired together as a bench file says; accidents, monitor, serving, twins that stand in for real ones.

- `laboratory`: one chip, clock and seed; `bench_twins`: the twins, each wired to its lines of the chip;
- `chip_lines`, `block_circuits`: what the lines do to cells, and what a block in a closed circuit answers;
- `accidents`: what a fault does; `monitor`: what was seen on the wires;
- `serving`: the twins on sockets; `stand_in`: twins in place of real instruments.
"""

from mho.instruments.laboratory.laboratory import Laboratory
from mho.instruments.laboratory.monitor import AMPLIFIER_LIMIT, SLACK, Extremes, Incident
from mho.instruments.laboratory.serving import Server, serve_bench, served_text, write_served
from mho.instruments.laboratory.stand_in import stand_in

__all__ = [
    "AMPLIFIER_LIMIT", "SLACK", "Extremes", "Incident", "Laboratory", "Server", "serve_bench", "served_text",
    "stand_in", "write_served",
]  # fmt: skip
