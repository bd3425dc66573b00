"""The bench: routes, limits, order of switching, safety, reconnection, and its lock."""

from mho.instruments.bench.bench import Bench
from mho.instruments.bench.locking import holder, last_taken
from mho.instruments.bench.stop_requests import STOPPING, HandledSignals
from mho.instruments.bench.temperature import check_temperature, set_temperature

__all__ = [
    "STOPPING",
    "Bench",
    "HandledSignals",
    "check_temperature",
    "holder",
    "last_taken",
    "set_temperature",
]
