"""A read-only page for the phone: queue, progress, map and convergence on loopback, with no Qt.

- `phone_page`: what is read of queues, runners and run files, the page that it makes, and the server;
- `command`: `mho watch`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.extensions.watch.phone_page import Glance, WatchServer, body, look, look_at_run, page, watch
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = ["Glance", "WatchServer", "body", "look", "look_at_run", "page", "watch"]
