"""``mho watch``: a read-only page on loopback about the queue, its runner, and the current run."""

from mho.gui.watch.server import WatchServer, watch

__all__ = ["WatchServer", "watch"]
