"""Summarises a run, or thousands of them, in a few numbers: results, convergence, cells."""

from mho.analysis.reports.cells import read_arrays, read_chip
from mho.analysis.reports.collection import find_runs, measure_runs, tabulate
from mho.analysis.reports.convergence import Convergence, ideal, read_convergence
from mho.analysis.reports.defects import Collected, collect_defects
from mho.analysis.reports.forecast_scores import WANTED, Coverage, ForecastScores, score_forecasts
from mho.analysis.reports.quantities import duration_text, handy_unit, parameter_text
from mho.analysis.reports.summary import Summary, read_bench, summarise

__all__ = [
    "WANTED",
    "Collected",
    "Convergence",
    "Coverage",
    "ForecastScores",
    "Summary",
    "collect_defects",
    "duration_text",
    "find_runs",
    "handy_unit",
    "ideal",
    "measure_runs",
    "parameter_text",
    "read_arrays",
    "read_bench",
    "read_chip",
    "read_convergence",
    "score_forecasts",
    "summarise",
    "tabulate",
]
