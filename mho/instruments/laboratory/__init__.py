"""Twins and chip wired together as a bench file says; accidents, monitor, serving, twins that stand in for real ones."""

from mho.instruments.laboratory.laboratory import Laboratory
from mho.instruments.laboratory.monitor import AMPLIFIER_LIMIT, SLACK, Extremes, Incident
from mho.instruments.laboratory.serving import Server, serve_bench, served_text, write_served
from mho.instruments.laboratory.stand_in import stand_in

__all__ = [
    "AMPLIFIER_LIMIT", "SLACK", "Extremes", "Incident", "Laboratory", "Server", "serve_bench", "served_text",
    "stand_in", "write_served",
]  # fmt: skip
