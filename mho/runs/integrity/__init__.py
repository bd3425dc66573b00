"""Checks whether a run file is whole and unchanged: seal, verification, comparison."""

from mho.runs.integrity.comparison import (
    OF_THE_MOMENT,
    Change,
    DatasetComparison,
    compare_runs,
    compare_surroundings,
)
from mho.runs.integrity.seal import Verdict, Verification, bytes_to_verify, verify

__all__ = [
    "OF_THE_MOMENT", "Change", "DatasetComparison", "Verdict", "Verification", "bytes_to_verify",
    "compare_runs", "compare_surroundings", "verify",
]  # fmt: skip
