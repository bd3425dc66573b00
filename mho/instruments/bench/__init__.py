"""The bench: routes, limits, order of switching, safety, reconnection, and its lock."""

from mho.instruments.bench.bench import Bench
from mho.instruments.bench.locking import holder, last_taken
from mho.instruments.bench.stop_requests import STOPPING, handled

__all__ = ["STOPPING", "Bench", "handled", "holder", "last_taken"]
