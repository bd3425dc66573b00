"""Run files: what a run declares, the writer that streams it to HDF5, the reader that needs only the file."""

from runs.opening import mend
from runs.paths import new_run_path
from runs.provenance import collect
from runs.reader import LogEntry, RunFile
from runs.schema import (
    SCHEMA_VERSION,
    Array,
    Column,
    Layout,
    Map,
    Parameter,
    RunHeader,
    Status,
    Table,
)
from runs.writer import RunWriter

__all__ = [
    "SCHEMA_VERSION",
    "Array",
    "Column",
    "Layout",
    "LogEntry",
    "Map",
    "Parameter",
    "RunFile",
    "RunHeader",
    "RunWriter",
    "Status",
    "Table",
    "collect",
    "mend",
    "new_run_path",
]
