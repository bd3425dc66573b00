"""Run files: what a run declares, the writer that streams it to HDF5, the reader that needs only the file."""

from mho.runs.index.index import IndexedRun, RunIndex
from mho.runs.integrity.recovery import recover
from mho.runs.integrity.verification import Verdict, Verification, verify
from mho.runs.paths import new_run_path, runs_folder
from mho.runs.provenance import collect
from mho.runs.reading.opening import mend
from mho.runs.reading.reader import LogEntry, RunFile, open_run
from mho.runs.schema import (
    GOING_ON,
    SCHEMA_VERSION,
    Array,
    Column,
    Layout,
    Map,
    RecordedParameter,
    RunHeader,
    Status,
    Table,
)
from mho.runs.writing.writer import RunWriter

__all__ = [
    "GOING_ON",
    "SCHEMA_VERSION",
    "Array",
    "Column",
    "IndexedRun",
    "Layout",
    "LogEntry",
    "Map",
    "RecordedParameter",
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
    "open_run",
    "recover",
    "runs_folder",
    "verify",
]
