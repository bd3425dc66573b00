"""Writes a file beside its place, and puts it there when it is whole."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mho.errors import InputError


@contextmanager
def whole_file(target: Path, what: str = "", advice: str = "; choose another output") -> Iterator[Path]:
    """Yield the path of a draft beside `target`, a file or folder; after the block the draft is `target`.

    Nothing is left of it after an error; an `OSError` is an `InputError` that says that `target` cannot be written.
    """
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        yield draft
        draft.replace(target)
    except OSError as error:
        # Windows' word for a folder to be made below a file
        reason = "Not a directory" if isinstance(error, FileExistsError) else error.strerror or error
        name = f"{what} {target}".strip()
        raise InputError(f"{name} cannot be written: {reason}{advice}") from error
    finally:
        if draft.is_dir():
            shutil.rmtree(draft, ignore_errors=True)
        with suppress(OSError):  # on a disk that cannot be written it never was there
            draft.unlink(missing_ok=True)
