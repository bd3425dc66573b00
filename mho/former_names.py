"""The former names of mho's own classes, in older run files, plans and queues: of another package, room or name."""

from __future__ import annotations

import re

_FORMER = {
    re.compile(r"procedures(?:\.sweep)?:Sweep|mho\.procedures(?:\.\w+)*:Sweep"): "mho.procedures:IV",
    re.compile(r"mho\.procedures(?:\.\w+)*:Map"): "mho.procedures:MapArray",
    re.compile(r"(?i:sweep)"): "iv",
    re.compile(r"procedures(?:\.(?:program|read|solve))?:(Program|Read|Solve)"): r"mho.procedures:\1",
    re.compile(r"mho\.procedures\.[\w.]+:(Program|Read|Solve|Multiply|Invert)"): r"mho.procedures:\1",
    re.compile(
        r"mho\.procedures(?:\.applications[\w.]*)?:(Arm|Diffusion|Eigenvector|Factorisation|Junction|Kalman|Mimo"
        r"|PageRank|Poisson|Portfolio|PowerFlow|PseudoInverse|Regression|Train)"
    ): r"mho.extensions.applications:\1",
    re.compile(r"instruments\.(drivers|simulated)\.(\w+:\w+)"): r"mho.instruments.\1.\2",
}


def current_name(name: str) -> str:
    """Return what ``module:Class``, or a procedure's name, is today; any other name as it is.

    A class of the user's own in a module that is called ``procedures``, too, keeps its name.
    """
    for former, today in _FORMER.items():
        if former.fullmatch(name):
            return former.sub(today, name)
    return name
