"""The queue's SQLite file: its statements, and how rows become jobs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from mho.errors import QueueError, os_errors_as
from mho.running.queue.job import Job, JobStatus, Lane, Order, Policy, Reaction
from mho.runs.conclusion import Conclusion
from mho.runs.labels import Labels
from mho.runs.sqlite_file import BUSY, SqliteFile, use_write_ahead_log

# Of the tables. 2: jobs say after which run they go on. 3: who runs them, which error ended them, what may be
# live. 4: whether they insist on the bench's limits, and which change was their last; 0 no longer stands for
# "not given". 5: when a bench was read back as safe, and when that was taken on somebody's word. 6: what the
# runs of jobs conclude. 7: their sample, operator and project.
VERSION = 7
_TABLES = """
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    procedure TEXT NOT NULL, parameters TEXT NOT NULL, bench TEXT NOT NULL, seed INTEGER, preset TEXT,
    output TEXT, folder TEXT NOT NULL,
    status TEXT NOT NULL, priority INTEGER NOT NULL, position INTEGER NOT NULL, reason TEXT NOT NULL,
    run TEXT, resume_of TEXT, attempts INTEGER NOT NULL, worker INTEGER, worker_birth TEXT,
    runner INTEGER, runner_birth TEXT,
    added REAL NOT NULL, started REAL, ended REAL, estimate REAL, seconds REAL, pulses INTEGER, after TEXT,
    error TEXT NOT NULL DEFAULT '', force INTEGER NOT NULL DEFAULT 0, conclusion TEXT,
    labels TEXT NOT NULL DEFAULT '{}'
) STRICT;
CREATE INDEX waiting ON jobs (bench, status, priority DESC, position);
CREATE INDEX finished ON jobs (bench, procedure, status, ended);
CREATE TABLE lanes (
    bench TEXT PRIMARY KEY, held INTEGER NOT NULL, reason TEXT NOT NULL, unsafe INTEGER NOT NULL,
    on_failure TEXT NOT NULL, on_interruption TEXT NOT NULL, retries INTEGER NOT NULL,
    unsafe_reason TEXT NOT NULL DEFAULT '', live TEXT NOT NULL DEFAULT '[]',
    confirmed REAL, confirmed_by TEXT NOT NULL DEFAULT '', acknowledged REAL
) STRICT;
"""
_REVISIONS = [
    "ALTER TABLE jobs ADD COLUMN revision INTEGER NOT NULL DEFAULT 0",  # of its last change by any process
    "CREATE INDEX revised ON jobs (bench, revision)",
    "CREATE TABLE revisions (last INTEGER NOT NULL) STRICT",
    "INSERT INTO revisions VALUES (0)",
    "CREATE TRIGGER changed AFTER UPDATE ON jobs WHEN NEW.revision = OLD.revision BEGIN "
    "UPDATE revisions SET last = last + 1; "
    "UPDATE jobs SET revision = (SELECT last FROM revisions) WHERE id = NEW.id; END",
]


def _zeros(procedure: str, parameter: str) -> str:
    """Return the condition for jobs in which a parameter is 0, as a number or as text with its unit."""
    modules = ("", "procedures:", f"procedures.{procedure}:")
    names = ", ".join(f"'{module}{procedure}'" for module in modules)
    return f"lower(procedure) IN ({names}) AND CAST(json_extract(parameters, '$.{parameter}') AS REAL) = 0"


def _leave_out(procedure: str, parameter: str) -> str:
    """Return the statement that removes the value that meant "not given" in older versions."""
    where = _zeros(procedure, parameter)
    return f"UPDATE jobs SET parameters = json_remove(parameters, '$.{parameter}') WHERE {where}"


def _question(procedure: str, parameter: str) -> str:
    """Return the statement that holds the queues in which a job waits whose 0 may mean either."""
    return f"""
    INSERT INTO lanes (bench, held, reason, unsafe, on_failure, on_interruption, retries)
    SELECT bench, 1, '{procedure} with {parameter} = 0 (job ' || group_concat(id, ', ') || '): that once stood for a value '
        || 'that was not given, and is 0 now. If 0 is meant, `mho queue resume`; else remove it, and add it without', 0,
        '{Policy.on_failure}', '{Policy.on_interruption}', {Policy.retries}
    FROM (SELECT id, bench FROM jobs WHERE status = 'queued' AND {_zeros(procedure, parameter)} ORDER BY bench, id)
    WHERE true GROUP BY bench
    ON CONFLICT (bench) DO UPDATE SET held = 1, reason = iif(held, reason || '; ', '') || excluded.reason"""


_STEPS = {
    1: ["ALTER TABLE jobs ADD COLUMN after TEXT"],
    2: [
        "ALTER TABLE jobs ADD COLUMN worker_birth TEXT",
        "ALTER TABLE jobs ADD COLUMN runner INTEGER",
        "ALTER TABLE jobs ADD COLUMN runner_birth TEXT",
        "ALTER TABLE jobs ADD COLUMN error TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE lanes ADD COLUMN unsafe_reason TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE lanes ADD COLUMN live TEXT NOT NULL DEFAULT '[]'",
        "CREATE INDEX finished ON jobs (bench, procedure, status, ended)",
        # When these jobs were added, 0 had no other meaning.
        *(_leave_out(*one) for one in (("sweep", "gate"), ("read", "read_voltage"), ("solve", "tolerance"))),
    ],
    3: [
        "ALTER TABLE jobs ADD COLUMN force INTEGER NOT NULL DEFAULT 0",
        *_REVISIONS,
        # Within version 3 the meaning changed. To read at 0 V was refused from then on; of the others nobody knows.
        _leave_out("read", "read_voltage"),
        *(_question(*one) for one in (("sweep", "gate"), ("solve", "tolerance"))),
    ],
    4: [
        "ALTER TABLE lanes ADD COLUMN confirmed REAL",
        "ALTER TABLE lanes ADD COLUMN confirmed_by TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE lanes ADD COLUMN acknowledged REAL",
    ],
    5: ["ALTER TABLE jobs ADD COLUMN conclusion TEXT"],
    6: ["ALTER TABLE jobs ADD COLUMN labels TEXT NOT NULL DEFAULT '{}'"],
}  # from one version of the tables to the next


def statements(version: int) -> list[str]:
    """Return what makes the tables of today of those of a version; of nothing for 0."""
    if not version:
        return [*_TABLES.split(";"), *_REVISIONS]
    return [one for step in range(version, VERSION) for one in _STEPS[step]]


_ORDER = [field.name for field in fields(Order)]
_OF_JOB = [field.name for field in fields(Job) if field.name != "order"]
_COLUMNS = ", ".join([*_ORDER, *_OF_JOB])  # by name: a newer mho may have added others while we were running
JOBS = f"SELECT {_COLUMNS} FROM jobs"  # the rows that `job_of` takes


class StorageError(QueueError):
    """The file cannot be read or written now: the disk is full, broken or read-only, or another process holds it."""


def open_queue(path: Path) -> SqliteFile:
    """Open a queue file, created if it is missing, its tables those of today. A change is on the disk when it is made.

    `QueueError` where the file is no queue, or comes from a newer mho; `StorageError` where it cannot be
    opened; by every method, it cannot be used at the moment.
    """
    with os_errors_as(QueueError, f"the folder of queue {path} cannot be made"):
        path.parent.mkdir(parents=True, exist_ok=True)

    def explain(error: sqlite3.Error, what: str = "") -> StorageError:
        return StorageError(
            f"queue {path} cannot be used: {error}; see to the disk, or move the file away to begin a new one"
        )

    try:
        connection = sqlite3.connect(path, timeout=BUSY, isolation_level=None)
    except sqlite3.Error as error:
        raise explain(error) from error
    file = SqliteFile(connection, explain)
    try:
        connection.row_factory = sqlite3.Row
        _check(file, path)
        use_write_ahead_log(connection, "FULL")
        _create_tables(file)
    except sqlite3.Error as error:
        file.close()
        raise explain(error) from error
    except BaseException:
        file.close()
        raise
    return file


def _check(file: SqliteFile, path: Path) -> None:
    """Refuse a file that is no queue of ours, before anything in it changes."""
    with file.reading():  # in one look: another process may be making the tables at this moment
        version = file.value("PRAGMA user_version")
        tables = file.value("SELECT count(*) FROM sqlite_schema")
    if version > VERSION:
        raise QueueError(f"queue {path} has version {version}, this mho reads up to {VERSION}; update mho")
    if version == 0 and tables:
        raise QueueError(f"{path} is a database, but no queue of mho; choose another place")


def _create_tables(file: SqliteFile) -> None:
    if file.value("PRAGMA user_version") == VERSION:
        return  # one that may only be read can still be shown
    with file.changing():
        for statement in statements(file.value("PRAGMA user_version")):
            file.execute(statement)
        file.execute(f"PRAGMA user_version = {VERSION}")


def job_of(row: Sequence[Any]) -> Job:
    """Return the job that a row of `JOBS` holds."""
    procedure, parameters, bench, seed, preset, output, folder, after, force, labels = row[: len(_ORDER)]
    order = Order(
        procedure, json.loads(parameters), bench, seed, preset, _path(output), _path(folder) or Path(), after,
        bool(force), Labels(**json.loads(labels)),
    )  # fmt: skip
    of_job = dict(zip(_OF_JOB, row[len(_ORDER) :], strict=True))
    of_job.update(
        status=JobStatus(of_job["status"]),
        run=_path(of_job["run"]),
        resume_of=_path(of_job["resume_of"]),
        conclusion=_conclusion(of_job["conclusion"]),
    )
    return Job(order=order, **of_job)


def conclusion_row(conclusion: Conclusion | None) -> str | None:
    """Return what the column of `jobs` keeps of a conclusion."""
    return None if conclusion is None else json.dumps(vars(conclusion), ensure_ascii=False)


def _conclusion(text: str | None) -> Conclusion | None:
    if text is None:
        return None
    facts = json.loads(text)
    return Conclusion(**{**facts, "warnings": tuple(facts["warnings"])})


@lru_cache(1024)
def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def order_row(order: Order) -> dict[str, str | int | None]:
    """Return the columns of `jobs` that an order fills.

    `QueueError` for a parameter that is no text, finite number or truth value.
    """
    try:
        parameters = json.dumps(order.parameters, allow_nan=False)
    except (TypeError, ValueError):
        raise QueueError(
            f"parameter {_unfit(order.parameters)!r} of {order.procedure} cannot wait in a queue, which keeps text and "
            "finite numbers; save it to a file and give the file's name"
        ) from None
    return {
        "procedure": order.procedure, "parameters": parameters, "bench": order.bench, "seed": order.seed,
        "preset": order.preset, "output": None if order.output is None else str(order.output),
        "folder": str(order.folder), "after": order.after, "force": order.force,
        "labels": json.dumps(order.labels.given(), ensure_ascii=False),
    }  # fmt: skip


def _unfit(parameters: Mapping[str, Any]) -> str:
    for name, value in parameters.items():
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            return name
    return ""


def lane_row(lane: Lane) -> dict[str, Any]:
    """Return the row of `lanes` that holds the state of the queue of a bench."""
    policy = vars(lane.policy)
    return (
        {name: one for name, one in vars(lane).items() if name != "policy"}
        | policy
        | {"live": json.dumps(lane.live)}
    )


def lane_of(row: sqlite3.Row) -> Lane:
    """Return the lane that a row of `lanes` holds."""
    policy = Policy(Reaction(row["on_failure"]), Reaction(row["on_interruption"]), row["retries"])
    return Lane(
        row["bench"], bool(row["held"]), row["reason"], bool(row["unsafe"]), policy, row["unsafe_reason"],
        tuple(json.loads(row["live"])), row["confirmed"], row["confirmed_by"], row["acknowledged"],
    )  # fmt: skip
