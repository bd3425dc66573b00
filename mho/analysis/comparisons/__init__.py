"""Compares runs and groups of runs: settings that differ, and results with the sizes of their effects."""

from mho.analysis.comparisons.compared_runs import ComparedRun, RunGroup, read_compared, read_sides
from mho.analysis.comparisons.comparing import (
    Comparison,
    DifferingSetting,
    ResultDifference,
    TextDifference,
    ValueSample,
    compare,
    compare_files,
    difference_text,
    effect_texts,
    group_files,
    named,
    names_of,
    number_text,
    ratio_text,
    sides_said,
    value_text,
)
from mho.analysis.comparisons.effects import CENTRES, Effect, Ranged, effect

__all__ = [
    "CENTRES", "ComparedRun", "Comparison", "DifferingSetting", "Effect", "Ranged", "ResultDifference",
    "RunGroup", "TextDifference", "ValueSample", "compare", "compare_files",
    "difference_text", "effect", "effect_texts", "group_files", "named", "names_of", "number_text",
    "ratio_text", "read_compared", "read_sides", "sides_said", "value_text",
]  # fmt: skip
