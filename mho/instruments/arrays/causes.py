"""What makes an analogue answer wrong, cause by cause: the names by which a twin's causes are switched.

Each is the work of one part of the twin. Switched off, that part is ideal and all others are what they were.
"""

from __future__ import annotations

from typing import Literal

Cause = Literal[
    "quantisation", "programming", "stuck cells", "relaxation", "read noise", "wires", "nonlinearity", "gain",
    "offset", "resistors", "converters",
]  # fmt: skip

CAUSES: dict[Cause, str] = {
    "quantisation": "targets are rounded to the levels of the cells",
    "programming": "cells miss their targets, as verify reads leave them",
    "stuck cells": "cells that no pulse moves miss their targets by what they are stuck at",
    "relaxation": "cells move after they were verified",
    "read noise": "cells, amplifiers and the board fluctuate from one reading to the next, and mislead write-verify",
    "wires": "the lines' resistance takes voltage from the cells",
    "nonlinearity": "cells conduct more or less at other voltages than that of their verify reads",
    "gain": "op-amps have a finite gain, a finite bandwidth to settle with, and a largest current and voltage",
    "offset": "op-amps have an offset voltage and a bias current",
    "resistors": "the board's resistors have a tolerance",
    "converters": "DACs and ADCs have steps, gain and offset errors, and noise",
}
"""All causes, in the order of the way from the matrix to the number, each with what it is."""

Causes = frozenset[Cause]

ALL: Causes = frozenset(CAUSES)
