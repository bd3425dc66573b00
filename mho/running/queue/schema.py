"""The tables of a queue's SQLite file, and the migrations from older versions."""

from __future__ import annotations

from mho.running.queue.policy import Policy

VERSION = 7
"""Of the tables. 2: jobs say after which run they go on. 3: who runs them, which error ended them, what may be live.
4: whether they insist on the bench's limits, and which change was their last; 0 no longer stands for "not given". 5: when a
bench was read back as safe, and when that was taken on somebody's word. 6: what the runs of jobs conclude. 7: their sample,
operator and project."""

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
