"""How `mho` starts: what is shown at once loads nothing of what only a run needs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from daily import daily
from typer.core import TyperGroup

from mho.cli.verbs import VERBS, LazyVerb
from mho.running.queue import Order, Queue

HEAVY = {
    "numpy", "scipy", "h5py", "pymeasure", "pint", "pyvisa", "nidaqmx", "matplotlib", "PySide6", "lupa", "pandas",
    "rich.progress", "rich.live", "mho.procedures.base", "mho.instruments.bench", "mho.instruments.laboratory",
}  # fmt: skip


def loaded(*words: str, runs: Path | None = None) -> set[str]:
    """Return the modules that are there when `mho` has answered."""
    environ = os.environ if runs is None else os.environ | {"MHO_RUNS": str(runs)}
    return loaded_by("from mho.cli.main import main", *words, environ=environ)


def loaded_by(importing: str, *words: str, environ: Mapping[str, str] = os.environ) -> set[str]:
    """Return the modules that are there when a `main` has come to its end, with nothing to read."""
    code = (
        "import sys\n"
        f"{importing}\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "late = '_LazyModule'  # is there, and nothing of it was executed\n"
        "sys.stderr.write(' '.join(name for name, one in sys.modules.items() if type(one).__name__ != late))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, *words], env=environ, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=60,
    )  # fmt: skip
    return set(told.stderr.split())


@pytest.mark.parametrize(
    "words",
    daily(
        [
            "--help",
            "--version",
            "show --help",
            "bench --help",
            "run read --help",
            "solve --help",
            "procedures",
        ],
        ["solve --help", "procedures"],
    ),
)
def test_help_is_there_before_anything_large(words) -> None:
    there = loaded(*words.split())
    assert "mho.cli.main" in there
    assert not there & HEAVY


def test_the_queue_is_listed_before_anything_large(tmp_path: Path) -> None:
    with Queue(tmp_path / "queue.sqlite") as queue:
        queue.add_all([(Order("read", {}, "simulated", seed), None) for seed in range(3)])
    there = loaded("queue", "list", runs=tmp_path)
    assert "mho.running.queue.store" in there
    assert not there & HEAVY


def test_the_help_of_all_loads_no_verb() -> None:
    there = loaded("--help")
    assert {name for name in there if name.startswith("mho.")} == {
        "mho.cli", "mho.cli.main", "mho.cli.exit_codes", "mho.cli.terminal", "mho.cli.terminal.sentences",
        "mho.cli.verbs", "mho.errors", "mho.escaping", "mho.extension_points", "mho.lazy_names",
    }  # fmt: skip
    assert "typer.rich_utils" not in there


@pytest.mark.thorough
@pytest.mark.parametrize(("name", "place"), [row for rows in VERBS.values() for row in rows.items()])
def test_a_verb_is_where_the_list_of_verbs_says(name: str, place: str) -> None:
    verb = LazyVerb(name, "", f"mho.cli.{place}", "").verb
    assert verb.commands if isinstance(verb, TyperGroup) else verb.name == name


def test_a_worker_loads_nothing_that_only_other_jobs_need() -> None:
    """Whether its bench is real is not known yet; the physics of twins loads SciPy."""
    read = "mho.procedures.cells.reading.read"
    there = loaded_by("from mho.running.runner.worker import main", read)
    assert read in there
    assert not {
        name for name in there if name.startswith(("scipy", "mho.instruments.simulated.physics.chip"))
    }
