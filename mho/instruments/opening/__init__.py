"""Opening a bench as its file describes it: real, simulated, as arrays, or rehearsed; making one safe from outside.

The names here are loaded when they are asked for (PEP 562): `safing` is run as a program of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.instruments.opening.opening import open_bench, open_rehearsal, open_simulated
    from mho.instruments.opening.safing import confirm_bench_safe, make_bench_safe
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = ["confirm_bench_safe", "make_bench_safe", "open_bench", "open_rehearsal", "open_simulated"]
