"""The path of a new run file."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from mho import platforms
from mho.errors import RunFileError

SUFFIX = ".h5"
DEFAULT_FOLDER = Path("data", "runs")
MOST_TRIES = 999
FILE_SUFFIX = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,4}")  # of other files, as .csv
EARLIER_TRY = re.compile(r"(?P<run>.+)\.failed-(?P<number>\d{1,3})\.h5")


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
        `output` is a file that exists already, or ends as a file of another kind does and is no folder.
    """
    if output is not None and Path(output).suffix == SUFFIX and not Path(output).is_dir():
        if trouble := platforms.here.path_trouble(Path(output)):
            raise RunFileError(f"there can be no run file {output}: {trouble}; choose another output")
        if Path(output).exists():
            raise RunFileError(
                f"run file {output} exists already and is never overwritten; choose another output"
            )
        return Path(output)
    folder = runs_folder(output, environ)
    if folder.exists() and not folder.is_dir():
        raise RunFileError(
            f"{folder} is a file and no folder; output takes a folder or a new file ending in {SUFFIX}"
        )
    if output is not None and FILE_SUFFIX.fullmatch(folder.suffix) and not folder.exists():
        raise RunFileError(
            f"output {output} ends in {folder.suffix}, and a run file ends in {SUFFIX}: give "
            f"{folder.with_suffix(SUFFIX)}, and export it afterwards; if it is to be a folder, make it first"
        )
    name = f"{now or datetime.now():%Y%m%d-%H%M%S}-{procedure}"
    candidates = (
        folder / f"{name}{clash}{SUFFIX}"
        for clash in itertools.chain([""], (f"-{n}" for n in itertools.count(2)))
    )
    return next(path for path in candidates if not path.exists())


def path_of_earlier_try(path: Path) -> Path | None:
    """Return the path beside `path` at which the file of a run that is tried again is kept; None after `MOST_TRIES`."""
    tries = (path.with_name(f"{path.stem}.failed-{number}{SUFFIX}") for number in range(1, MOST_TRIES + 1))
    return next((one for one in tries if not one.exists()), None)


def earlier_tries(names: Iterable[str]) -> set[str]:
    """Return those names of run files in one folder that are tries of a run of which a later try is there, too.

    Of ``7.failed-1.h5``, ``7.failed-2.h5`` and ``7.h5`` the first two are earlier; without ``7.h5`` only the first is.
    """
    there = set(names)
    tries: dict[str, list[tuple[int, str]]] = {}
    for name in there:
        if match := EARLIER_TRY.fullmatch(name):
            tries.setdefault(match["run"], []).append((int(match["number"]), name))
    result: set[str] = set()
    for run, known in tries.items():
        result |= {name for _, name in (known if f"{run}{SUFFIX}" in there else sorted(known)[:-1])}
    return result
