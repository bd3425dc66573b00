"""Everything that touches hardware: roles, drivers, the bench, and the virtual bench."""

from instruments.array_bench import ArrayBench
from instruments.bench import Bench
from instruments.limits import Limits, TerminalLimits
from instruments.opening import open_bench
from instruments.roles import Cell, Pulse, Reading

__all__ = ["ArrayBench", "Bench", "Cell", "Limits", "Pulse", "Reading", "TerminalLimits", "open_bench"]
