"""Everything that touches hardware: roles, drivers, the bench, and the virtual bench."""

from mho.instruments.arrays.bench import ArrayBench
from mho.instruments.bench.bench import Bench
from mho.instruments.bench.limits import Limits, TerminalLimits
from mho.instruments.bench.opening import open_bench
from mho.instruments.roles import Cell, Pulse, Reading

__all__ = ["ArrayBench", "Bench", "Cell", "Limits", "Pulse", "Reading", "TerminalLimits", "open_bench"]
