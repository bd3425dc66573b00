"""Replaces a run file by a copy in one step."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from mho.errors import RunFileError


@contextlib.contextmanager
def replacement(path: Path) -> Iterator[Path]:
    """Yield the path of a draft beside the file at `path`; after the block the draft replaces the file.

    Raises
    ------
    RunFileError
        The file changed meanwhile or cannot be replaced; it is then unchanged, as it is after whatever the block raises.
    """
    before = path.stat()
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield draft
        shutil.copymode(path, draft)
        if (now := path.stat()).st_mtime_ns != before.st_mtime_ns or now.st_size != before.st_size:
            raise RunFileError(f"run file {path} was changed meanwhile, and is left alone; try again")
        _replace(draft, path)
    finally:
        with contextlib.suppress(OSError):  # the original error matters more than a failed clean-up
            draft.unlink(missing_ok=True)


def _replace(draft: Path, path: Path) -> None:
    try:
        with draft.open("rb+") as file:
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise RunFileError(
            f"run file {path} cannot be replaced by its copy ({error.strerror}); close it in other programs"
        ) from error
