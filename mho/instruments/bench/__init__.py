"""The bench: routes, limits, order of switching, safety, reconnection, and its lock."""

from mho.instruments.bench.bench import Bench
from mho.instruments.bench.locking import holder, last_taken
from mho.instruments.bench.stop_requests import STOPPING, HandledSignals

__all__ = ["STOPPING", "Bench", "HandledSignals", "holder", "last_taken"]
