"""How `mho` starts: what is shown at once loads nothing of what only a run needs."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {
    "numpy", "scipy", "h5py", "pymeasure", "pyvisa", "nidaqmx", "matplotlib", "PySide6", "lupa", "pandas",
    "rich.progress", "rich.live",
}  # fmt: skip


def loaded(*words: str) -> set[str]:
    """Return the modules that are there when `mho` has answered."""
    code = (
        "import sys\n"
        "from mho.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "sys.stderr.write(' '.join(sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=60)
    return set(told.stderr.split())


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("show", "--help"), ("bench", "--help")])
def test_help_is_there_before_anything_large(words) -> None:
    there = loaded(*words)
    assert "mho.cli.main" in there
    assert not there & HEAVY


@pytest.mark.thorough
def test_a_procedure_is_described_without_pandas() -> None:
    there = loaded("run", "read", "--help")
    assert "mho.procedures.cells.reading.read" in there
    assert not there & {"pandas", "PySide6", "matplotlib"}
