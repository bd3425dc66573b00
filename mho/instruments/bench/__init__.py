"""The bench: routes, limits, order of switching, safety, reconnection, and its lock."""

from mho.instruments.bench.bench import Bench
from mho.instruments.bench.cell_record import LostCell, PulseDamage
from mho.instruments.bench.locking import holder, holder_words, last_taken
from mho.instruments.bench.stop_requests import STOPPING, HandledSignals
from mho.instruments.bench.temperature import HeldTemperature, at_temperature, check_temperature
from mho.instruments.bench.touches import WATCH, Hands, Touch, Touchable, Value, touchables

__all__ = [
    "STOPPING",
    "WATCH",
    "Bench",
    "HandledSignals",
    "Hands",
    "HeldTemperature",
    "LostCell",
    "PulseDamage",
    "Touch",
    "Touchable",
    "Value",
    "at_temperature",
    "check_temperature",
    "holder",
    "holder_words",
    "last_taken",
    "touchables",
]  # fmt: skip
