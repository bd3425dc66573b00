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
    from mho import cells, circuits
    from mho.analysis import Run, Runs, draw, open_run, open_runs, plot, summarise
    from mho.chip_maps import (
        ChipMap,
        Encoding,
        InverseEncoding,
        OwnPreconditioning,
        Preconditioning,
        load_chip_map,
        load_matrix,
    )
    from mho.errors import (
        Aborted,
        BenchError,
        BenchInUseError,
        ChangedInputError,
        ChipMapError,
        ConnectionRestored,
        ConvergenceError,
        ConvergenceWarning,
        InputError,
        InstrumentError,
        InstrumentTimeoutError,
        Interrupted,
        KeywordError,
        LimitError,
        MhoError,
        QueueError,
        RunFileError,
        RunWarning,
        UnknownNameError,
        UnsafeError,
        WorkersLostError,
    )
    from mho.extensions import applications, linalg
    from mho.instruments import Bench, Cell, Limits, Pulse, Reading, TerminalLimits, open_bench
    from mho.instruments.simulated import CELL_PRESETS, CellPreset, cell_preset
    from mho.procedures import (
        IV,
        BooleanParameter,
        Contact,
        Control,
        Disturb,
        Endurance,
        Estimate,
        FloatParameter,
        Form,
        IntegerParameter,
        Invert,
        ListParameter,
        MapArray,
        Multiply,
        Noise,
        Parameter,
        Procedure,
        ProcedureResult,
        Program,
        PulseTrain,
        Read,
        Refinement,
        Refresh,
        Response,
        Retention,
        Solution,
        Solve,
        Strategy,
        Stream,
        Sweep,
        Switching,
    )
    from mho.running import Forecast, evaluate, forecast, run, solve
    from mho.running.budget import budget
    from mho.runs import (
        Array,
        Band,
        Column,
        Conclusion,
        Figure,
        Labels,
        Layout,
        Map,
        ReferenceLine,
        ReferencePoints,
        ResultMapping,
        Table,
    )

    __version__: str
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = [
    "CELL_PRESETS", "IV", "Aborted", "Array", "Band", "Bench", "BenchError", "BenchInUseError",
    "BooleanParameter", "Cell", "CellPreset", "ChangedInputError", "ChipMap", "ChipMapError", "Column",
    "Conclusion", "ConnectionRestored", "Contact", "Control", "ConvergenceError", "ConvergenceWarning",
    "Disturb", "Encoding", "Endurance", "Estimate", "Figure", "FloatParameter", "Forecast", "Form",
    "InputError", "InstrumentError", "InstrumentTimeoutError", "IntegerParameter", "Interrupted",
    "InverseEncoding", "Invert", "KeywordError", "Labels", "Layout", "LimitError", "Limits",
    "ListParameter", "Map", "MapArray", "MhoError", "Multiply", "Noise", "OwnPreconditioning",
    "Parameter", "Preconditioning", "Procedure", "ProcedureResult", "Program", "Pulse", "PulseTrain", "QueueError",
    "Read", "Reading", "ReferenceLine", "ReferencePoints", "Refinement", "Refresh", "Response",
    "ResultMapping", "Retention", "Run", "RunFileError", "RunWarning", "Runs", "Solution", "Solve",
    "Strategy", "Stream", "Sweep", "Switching", "Table", "TerminalLimits", "UnknownNameError",
    "UnsafeError", "WorkersLostError", "__version__", "applications", "budget", "cell_preset", "cells",
    "circuits", "draw", "evaluate", "forecast", "linalg", "load_chip_map", "load_matrix", "open_bench",
    "open_run", "open_runs", "plot", "run", "solve", "summarise",
]  # fmt: skip

if not TYPE_CHECKING:
    __all__ = __dir__()  # without the extensions that have been taken out
