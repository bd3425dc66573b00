"""Opening a bench as its file describes it: real, simulated, as arrays, or rehearsed; making one safe from outside.

The names here are loaded when they are asked for (PEP 562): `safing` is run as a program of its own.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mho.instruments.opening.opening import open_bench, open_simulated
    from mho.instruments.opening.rehearsal import open_rehearsal
    from mho.instruments.opening.safing import confirm_bench_safe, make_bench_safe

_HOMES = {
    "confirm_bench_safe": "safing",
    "make_bench_safe": "safing",
    "open_bench": "opening",
    "open_rehearsal": "rehearsal",
    "open_simulated": "opening",
}

__all__ = ["confirm_bench_safe", "make_bench_safe", "open_bench", "open_rehearsal", "open_simulated"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
