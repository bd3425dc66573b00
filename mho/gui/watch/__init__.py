"""``mho watch``: a small read-only page on loopback about the queue, its runner, and the run in progress."""

from mho.gui.watch.server import WatchServer, watch

__all__ = ["WatchServer", "watch"]
