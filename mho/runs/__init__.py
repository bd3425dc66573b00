"""Run files, one HDF5 file a run: declared, written, read, checked, indexed and compared.

- `schema`: what a run file holds, as plain data; `figures`: declared figures; `units`: conversion of units;
- `conclusion`: what a run concludes; `intervals`: prediction intervals; `labels`: sample, operator and project;
- `paths`: where a new run file goes; `provenance`: program, machine and state of the code behind a run;
- `results`: what a run has come to, as its user has it;
- `liveness`: whether the process that writes a run file still lives; `sqlite_file`: what queue and index stand on;
- `writing`: writes a run file during the run, and recovers that of a killed writer; `reading`: reads one;
- `index`: finds runs in a folder: queries, tags and notes; `integrity`: seal, verification, comparison of two files;
- `nexus`: the NeXus definition of run files; `publication`: copies of run files without what is personal.

Names are loaded when they are asked for (PEP 562): a status needs no HDF5, and a run neither SQLite nor XML.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.runs.conclusion import GOING_ON, Conclusion, Status, outcome_line, status_words
    from mho.runs.figures import Band, Figure, ReferenceLine, ReferencePoints
    from mho.runs.index import IndexedRun, RunIndex
    from mho.runs.integrity import Verdict, Verification, verify
    from mho.runs.labels import Labels
    from mho.runs.nexus import Conformance, check_conformance
    from mho.runs.paths import SUFFIX, new_run_path, runs_folder
    from mho.runs.provenance import collect, file_hash, processor, text_hash
    from mho.runs.reading import LogEntry, RunFile, clear_writer_flag
    from mho.runs.results import ResultMapping, ResultViews, returned
    from mho.runs.schema import (
        SCHEMA_VERSION,
        Array,
        Column,
        Layout,
        Map,
        RecordedParameter,
        RunHeader,
        Table,
    )
    from mho.runs.standard_figures import IDENTITY
    from mho.runs.units import BASE_UNITS, factor_between, ratio_between
    from mho.runs.writing import RunWriter, recover
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = [
    "BASE_UNITS", "GOING_ON", "IDENTITY", "SCHEMA_VERSION", "SUFFIX", "Array", "Band", "Column",
    "Conclusion", "Conformance", "Figure", "IndexedRun", "Labels", "Layout", "LogEntry", "Map",
    "RecordedParameter", "ReferenceLine", "ReferencePoints", "ResultMapping", "ResultViews", "RunFile",
    "RunHeader", "RunIndex", "RunWriter", "Status", "Table", "Verdict", "Verification", "check_conformance",
    "clear_writer_flag", "collect", "factor_between", "file_hash", "new_run_path", "outcome_line",
    "processor", "ratio_between", "recover", "returned", "runs_folder", "status_words", "text_hash",
    "verify",
]  # fmt: skip
