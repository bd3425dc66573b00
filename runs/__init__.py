"""Run files: what a run declares, the writer that streams it to HDF5, the reader that needs only the file."""

from runs.index import IndexedRun, RunIndex
from runs.opening import mend
from runs.paths import new_run_path, runs_folder
from runs.provenance import collect
from runs.reader import LogEntry, RunFile
from runs.recovery import recover
from runs.schema import (
    GOING_ON,
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
from runs.verification import Verdict, Verification, verify
from runs.writer import RunWriter

__all__ = [
    "GOING_ON",
    "SCHEMA_VERSION",
    "Array",
    "Column",
    "IndexedRun",
    "Layout",
    "LogEntry",
    "Map",
    "Parameter",
    "RunFile",
    "RunHeader",
    "RunIndex",
    "RunWriter",
    "Status",
    "Table",
    "Verdict",
    "Verification",
    "collect",
    "mend",
    "new_run_path",
    "recover",
    "runs_folder",
    "verify",
]
