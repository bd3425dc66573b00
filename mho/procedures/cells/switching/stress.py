"""What stress by many pulses has in common: reads at counts, with bursts between them that every generator counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

BURST = 1_000_000
"""Pulses, or cycles, that every generator of ours counts in one burst."""


@dataclass(frozen=True, kw_only=True)
class StressReads:
    """Reads of stressed cells.

    Attributes
    ----------
    counts : (reads,) array
        Pulses, or cycles, before each read.
    conductance : array
        S; its axes are those of the procedure.
    summary : dict
        Summary in the run file and of ``--json``.
    path : Path
        The run file.
    """

    counts: NDArray[np.int64]
    conductance: NDArray[np.float64]
    summary: dict[str, Any]
    path: Path = field(default=Path())


def bursts(count: int) -> Iterator[int]:
    """Yield the lengths of the bursts that make up so many pulses; nothing for none."""
    while count > 0:
        yield min(count, BURST)
        count -= BURST
