"""Reads run files: finished ones, growing ones, and those of a killed writer."""

from mho.runs.reading.conformance import check_array, check_map, check_table, is_table
from mho.runs.reading.opening import clear_writer_flag, intact, items_of, open_hdf5, open_run_file
from mho.runs.reading.reader import LogEntry, RunFile, Stored

__all__ = [
    "LogEntry", "RunFile", "Stored", "check_array", "check_map", "check_table", "clear_writer_flag", "intact",
    "is_table", "items_of", "open_hdf5", "open_run_file",
]  # fmt: skip
