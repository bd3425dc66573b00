"""The bench without instruments: the same chip, evaluated a whole array at a time."""

from mho.instruments.arrays.bench import ArrayBench, CellVisit
from mho.instruments.roles import CellPositions

__all__ = ["ArrayBench", "CellPositions", "CellVisit"]
