"""The former names of mho's own classes, from before it was one package, in older run files, plans and queues."""

from __future__ import annotations

import re

_FORMER = {
    re.compile(
        r"procedures(?:\.(?:program|read|solve|sweep))?:(Program|Read|Solve|Sweep)"
    ): r"mho.procedures:\1",
    re.compile(r"instruments\.(drivers|simulated)\.(\w+:\w+)"): r"mho.instruments.\1.\2",
}


def current_name(name: str) -> str:
    """Return what ``module:Class`` is called today; any other name as it is.

    A class of the user's own in a module that is called ``procedures``, too, keeps its name.
    """
    for former, today in _FORMER.items():
        if former.fullmatch(name):
            return former.sub(today, name)
    return name
