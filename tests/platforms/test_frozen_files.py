from __future__ import annotations

import subprocess
import sys
from pathlib import Path

WRITER = """
import contextlib, pathlib
import h5py
import numpy as np
from mho.runs.writing.live_file import abandon

path = pathlib.Path("run.h5")
file = h5py.File(path, "w", libver="latest")
values = file.create_dataset("values", (64,), chunks=(64,), maxshape=(None,), dtype="f8")
values[:] = np.arange(64.0)
file.flush()
pathlib.Path("kept").write_bytes(path.read_bytes())
values.resize((4096,))
values[:] = 7.0
abandon(file, path, (file, values))
other = open("other", "w+b")
other.write(bytes(3000))
other.flush()
with contextlib.suppress(OSError, RuntimeError):
    file.flush()
"""


def test_an_abandoned_file_is_written_to_no_more(tmp_path: Path) -> None:
    """Not by a flush, nor at the end: on a full disk this would leave a file that nobody can read. Nor is another cut."""
    done = subprocess.run(
        [sys.executable, "-c", WRITER], cwd=tmp_path, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run.h5").read_bytes() == (tmp_path / "kept").read_bytes()
    assert (tmp_path / "other").read_bytes() == bytes(3000)
