"""Lab suite for analogue matrix computing on RRAM chips: what a user imports, loaded when it is asked for (PEP 562).

A script says ``from mho import Procedure, Table`` or ``mho.open_bench(...)``; the rooms below are for who works on mho:

- `mho.instruments`: everything that touches hardware, and the virtual bench;
- `mho.chip_maps`: which cell holds what;
- `mho.runs`: run files, written, read, checked and found;
- `mho.procedures`: what one does with a chip;
- `mho.analysis`: run files in, figures, reports and exports out;
- `mho.running`: how procedures are carried out, now, by plan, or from the queue;
- `mho.extensions`: what builds on all that, each to be taken out; `linalg` is a bench for SciPy, scikit-learn, PyTorch;
- `mho.gui`: the window; `mho.cli`: the command line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.analysis import Run, Runs, draw, open_run, open_runs, plot, summarise
    from mho.errors import ConvergenceWarning, MhoError
    from mho.instruments import Bench, Cell, Pulse, Reading, open_bench
    from mho.procedures import (
        IV,
        BooleanParameter,
        Contact,
        FloatParameter,
        Form,
        IntegerParameter,
        Invert,
        ListParameter,
        Multiply,
        Parameter,
        Procedure,
        Program,
        Read,
        Refresh,
        Response,
        Solution,
        Solve,
        Strategy,
        Sweep,
    )
    from mho.running import forecast, run, solve
    from mho.running.budget import budget
    from mho.runs import (
        Array,
        Band,
        Column,
        Conclusion,
        Figure,
        Layout,
        Map,
        ReferenceLine,
        ReferencePoints,
        Table,
    )
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = [
    "IV", "Array", "Band", "Bench", "BooleanParameter", "Cell", "Column", "Conclusion", "Contact",
    "ConvergenceWarning", "Figure",
    "FloatParameter", "Form", "IntegerParameter", "Invert", "Layout", "ListParameter", "Map", "MhoError",
    "Multiply", "Parameter", "Procedure", "Program", "Pulse", "Read", "Reading", "ReferenceLine",
    "ReferencePoints", "Refresh", "Response", "Run", "Runs", "Solution", "Solve", "Strategy", "Sweep",
    "Table", "budget", "draw", "forecast", "open_bench", "open_run", "open_runs", "plot", "run", "solve",
    "summarise",
]  # fmt: skip
