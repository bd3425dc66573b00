"""Summarises a run, or thousands of them, in a few numbers: results, convergence, cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.analysis.reports.cells import read_arrays, read_chip
    from mho.analysis.reports.collection import find_runs, left_out_tries, measure_runs, tabulate
    from mho.analysis.reports.convergence import Convergence, ideal, read_convergence
    from mho.analysis.reports.defects import Collected, collect_defects, lost_cells
    from mho.analysis.reports.forecast_scores import WANTED, Coverage, ForecastScores, score_forecasts
    from mho.analysis.reports.quantities import (
        duration_text,
        handy_unit,
        name_text,
        name_words,
        parameter_text,
        quantity_text,
        with_unit,
    )
    from mho.analysis.reports.run_table import RunRow, RunTable, column_of, row_of, row_of_card, table_of
    from mho.analysis.reports.summary import Summary, read_bench, read_description, summarise
    from mho.analysis.reports.worth import COSTS, enclosure_sentence, worth_rows
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = [
    "COSTS", "WANTED", "Collected", "Convergence", "Coverage", "ForecastScores", "RunRow", "RunTable",
    "Summary",
    "collect_defects", "column_of", "duration_text", "enclosure_sentence", "find_runs", "handy_unit", "ideal",
    "left_out_tries", "lost_cells", "measure_runs", "name_text", "name_words", "parameter_text", "quantity_text",
    "read_arrays", "read_bench", "read_chip", "read_convergence", "read_description", "row_of", "row_of_card",
    "score_forecasts", "summarise",
    "table_of", "tabulate", "with_unit", "worth_rows",
]  # fmt: skip
