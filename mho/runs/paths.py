"""The path of a new run file."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from mho.errors import RunFileError

SUFFIX = ".h5"
DEFAULT_FOLDER = Path("data", "runs")


def runs_folder(
    folder: str | os.PathLike[str] | None = None, environ: Mapping[str, str] | None = None
) -> Path:
    """Return `folder`, or the one that run files land in by default: ``MHO_RUNS``, else ``data/runs``."""
    environ = os.environ if environ is None else environ
    return Path(folder or environ.get("MHO_RUNS") or DEFAULT_FOLDER)


def new_run_path(
    procedure: str,
    output: str | os.PathLike[str] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    now: datetime | None = None,
) -> Path:
    """Return the path of a new run file; nothing is created.

    Parameters
    ----------
    procedure : str
        The procedure's name, part of the file's name.
    output : path, optional
        A file (suffix ``.h5``) or a folder; ``MHO_RUNS`` and ``data/runs`` are the folders otherwise.
    environ : mapping, optional
        The environment; ``os.environ`` if not given.
    now : datetime, optional
        The local time that goes into the name.

    Returns
    -------
    Path
        ``<folder>/<YYYYmmdd-HHMMSS>-<procedure>.h5``, with ``-2``, ``-3``... for a second run in one second.

    Raises
    ------
    RunFileError
        `output` is a file that exists already.
    """
    if output is not None and Path(output).suffix == SUFFIX and not Path(output).is_dir():
        if Path(output).exists():
            raise RunFileError(
                f"run file {output} exists already and is never overwritten; choose another --output"
            )
        return Path(output)
    folder = runs_folder(output, environ)
    if folder.exists() and not folder.is_dir():
        raise RunFileError(
            f"{folder} is a file and no folder; --output takes a folder or a new file ending in {SUFFIX}"
        )
    name = f"{now or datetime.now():%Y%m%d-%H%M%S}-{procedure}"
    candidates = (
        folder / f"{name}{clash}{SUFFIX}"
        for clash in itertools.chain([""], (f"-{n}" for n in itertools.count(2)))
    )
    return next(path for path in candidates if not path.exists())
