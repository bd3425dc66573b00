"""Writes run files during the run, and recovers the file of a killed writer."""

from mho.runs.writing.recovery import recover
from mho.runs.writing.writer import RunWriter

__all__ = ["RunWriter", "recover"]
