"""Checks whether a run file is whole and unchanged: seal, verification, comparison."""

from mho.runs.integrity.comparison import OF_THE_MOMENT, Change, Compared, compare_runs, compare_surroundings
from mho.runs.integrity.verification import Verdict, Verification, bytes_to_verify, verify

__all__ = [
    "OF_THE_MOMENT",
    "Change",
    "Compared",
    "Verdict",
    "Verification",
    "bytes_to_verify",
    "compare_runs",
    "compare_surroundings",
    "verify",
]
