"""How soon another process sees a row: a reader follows a run file and says how old each row was."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from mho.runs import RunFile, RunWriter

PERIOD = 0.003
"""How often the reader looks, s."""


def delays(writer: RunWriter, table: str, column: str, rows: int) -> list[float]:
    """Emit `rows` rows of the time, 1 ms to 100 ms apart, and return how long each took to the reader, s.

    The column holds ``time.monotonic()``, which all processes of a machine share.
    """
    reader = subprocess.Popen(
        [sys.executable, "-m", __name__, str(writer.path), table, column, str(rows)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert reader.stdout is not None
    reader.stdout.readline()
    for row in range(rows):
        writer.emit(table, **{column: time.monotonic()})
        time.sleep(0.001 * (1 + row * 37 % 100))
    told, _ = reader.communicate()
    return [float(word) for word in told.split()]


def follow(path: Path, table: str, column: str, rows: int) -> None:
    """Follow a run until it has so many rows, and print how old each was when it was seen."""
    with RunFile(path) as run:
        seen = 0
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while seen < rows:
            run.refresh()
            for then in run.column(table, column, start=seen):
                sys.stdout.write(f"{time.monotonic() - then}\n")
                seen += 1
            time.sleep(PERIOD)


if __name__ == "__main__":
    follow(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]))
