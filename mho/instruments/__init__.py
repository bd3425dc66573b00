"""Everything that touches hardware, and the virtual bench. A room a subject, from the ground up:

- `roles`, `limits`: what a bench needs of an instrument, and what its terminals may see;
- `drivers`: one file a model; `drivers.languages` what models share;
- `simulated`: the virtual bench's instruments and its chip, a library of its own;
- `bench_file`: the TOML file that describes a bench;
- `laboratory`: twins and chip wired together as a bench file says; accidents, monitor, serving;
- `bench`: routes, limits, order of switching, safety, reconnection;
- `arrays`: the bench without instruments, a whole array at a time;
- `opening`: a bench opened as its file says, or made safe from outside;
- `checks`: is this bench sound?

The names here are loaded when they are asked for (PEP 562).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.instruments.arrays import ArrayBench
    from mho.instruments.bench import Bench
    from mho.instruments.limits import Limits, TerminalLimits
    from mho.instruments.opening import open_bench
    from mho.instruments.roles import Cell, Pulse, Reading
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = ["ArrayBench", "Bench", "Cell", "Limits", "Pulse", "Reading", "TerminalLimits", "open_bench"]
