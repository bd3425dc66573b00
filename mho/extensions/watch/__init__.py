"""A page for the phone: queue, safety, progress and figures on loopback, with no Qt; STOP and Pause with a token.

- `glance`: what is read of queues, runners and run files;
- `phone_page`: the page that it makes; `serving`: the server, and the commands that it takes;
- `command`: `mho watch`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.extensions.watch.glance import Glance, look, look_at_run
    from mho.extensions.watch.phone_page import body, page
    from mho.extensions.watch.serving import WatchServer, watch
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = ["Glance", "WatchServer", "body", "look", "look_at_run", "page", "watch"]
