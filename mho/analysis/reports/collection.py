"""Finds run files, and measures thousands of them in one pass: opens each once, a row of each, in constant memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from mho.analysis.reports.run_table import Row, RunRow, check_table_file, row_of, table_of, write_table
from mho.errors import InputError, RunFileError
from mho.input_files import check_ordinary
from mho.runs import RunFile
from mho.runs.paths import SUFFIX, earlier_tries
from mho.workers import CONFIGURED, Certificates, dask_workers

TRIES_NAMED = 3  # earlier tries that a sentence names


def find_runs(*places: str | os.PathLike[str], every_try: bool = False) -> Iterator[Path]:
    """Yield the run files at `places`, files or folders, in the order of their names; folders are searched whole.

    A try that failed and was made again (``7.failed-1.h5`` beside ``7.h5``) is the same run: of those in a folder only
    the last is given, see `left_out_tries`, unless `every_try` is wanted; a file that is named is given.

    Raises `InputError`: a place that is not there, or a pipe, a device or a socket.
    """
    for place in map(Path, places):
        if os.path.isdir(place):
            for folder, names in _searched(place):
                earlier = set() if every_try else earlier_tries(names)
                yield from (folder / name for name in names if name not in earlier)
            continue
        try:
            check_ordinary(place)
        except OSError as error:
            raise InputError(
                f"{place} is {error.strerror}; give run files or folders that hold some"
            ) from None
        if place.exists():
            yield place
        else:
            raise InputError(f"{place} does not exist; give run files or folders that hold some")


def left_out_tries(*places: str | os.PathLike[str]) -> str:
    """Return the sentence on the earlier tries that `find_runs` leaves out; "" where there are none."""
    result: list[str] = []
    for place in map(Path, places):
        if place.is_dir():
            result += (name for _, names in _searched(place) for name in sorted(earlier_tries(names)))
    if not result:
        return ""
    more = f" and {len(result) - TRIES_NAMED} more" if len(result) > TRIES_NAMED else ""
    what = f"{len(result)} earlier tries of runs that were tried again are"
    if len(result) == 1:
        what = "1 earlier try of a run that was tried again is"
    return f"{what} left out: {', '.join(result[:TRIES_NAMED])}{more}"


def _searched(place: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield each folder in and below a place with the names of its run files, in order."""
    for folder, folders, files in os.walk(place):
        folders.sort()
        yield Path(folder), sorted(name for name in files if name.endswith(SUFFIX))


def measure_runs(paths: Iterable[Path], measure: Callable[[RunFile], Row]) -> Iterator[RunRow]:
    """Open each file, `measure` it, and give the rows one by one.

    A file that cannot be read, or that `measure` finds nothing in (`RunFileError`, `KeyError`), is given with the reason.
    """
    for path in paths:
        try:
            with RunFile(path) as run:
                row = RunRow(path, measure(run))
        except (RunFileError, KeyError) as error:
            row = RunRow(path, None, reason=str(error))
        yield row


def tabulate(
    places: Iterable[str | os.PathLike[str]], output: Path, workers: int = 0, scheduler: str = "",
    columns: Sequence[str] = (), certificates: Certificates = CONFIGURED,
) -> tuple[int, list[RunRow]]:  # fmt: skip
    """Write one table of the runs at `places` as CSV, parquet or JSON; return its rows, and the files without any.

    Without `workers` processes, or the `scheduler` of a Dask cluster, files are read here; `columns` are as of
    `RunTable.chosen`.

    Raises `InputError`: a place that is not there, no run that can be read, a column that no run has, a table that
    cannot be written, or a package that is not installed.
    """
    check_table_file(output)
    with ExitStack() as stack:
        started = None
        if workers or scheduler:
            started = stack.enter_context(dask_workers(workers, scheduler, certificates))
        paths = find_runs(*places)
        if started is None:
            rows = list(map(row_of, paths))
        else:
            rows = [
                one.result or RunRow(one.item, None, reason=f"{type(one.error).__name__}: {one.error}")
                for one in started.spread(row_of, paths)
            ]
        rows.sort(key=lambda one: str(one.path))
    skipped = [one for one in rows if one.row is None]
    if len(skipped) == len(rows):
        why = f" ({len(skipped)} cannot be read: {skipped[0].reason})" if skipped else ""
        raise InputError(
            f"no run was found, so {output} is not written{why}; give run files or folders that hold some"
        )
    table = table_of(rows)
    write_table(table.chosen(columns) if columns else table, output)
    return len(table.rows), skipped


def runs_at(places: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """Return the run files at `places`, each once; a single file need not be there: who opens it says so.

    Earlier tries of a run that was tried again are among them: what is handed on is all there is.

    Raises `InputError`: one of several places is not there, or there is no run file in any.
    """
    if len(places) == 1 and not Path(places[0]).is_dir():
        return [Path(places[0])]
    result = list(dict.fromkeys(find_runs(*places, every_try=True)))
    if not result:
        what = f"{places[0]} is a folder that holds" if len(places) == 1 else "what was given holds"
        raise InputError(f"{what} no run file; give run files, or folders with some")
    return result
