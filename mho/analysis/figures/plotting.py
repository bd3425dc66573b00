"""Draws a run file into a picture file; all drawing is in `mho.analysis.figures.solve_figure`, loaded when it is needed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from mho.errors import InputError
from mho.runs import RunFile

FORMATS: dict[str, Literal["png", "svg", "pdf"]] = {".png": "png", ".svg": "svg", ".pdf": "pdf"}


def plot(path: str | os.PathLike[str], output: str | os.PathLike[str] | None = None) -> Path:
    """Draw convergence, level histogram and error maps of the run file at `path`.

    Parameters
    ----------
    path : path
        A run file; what it does not hold (yet) is said in the panel's place.
    output : path, optional
        Picture (``.png``, ``.svg`` or ``.pdf``) or a folder; a picture of that name is replaced. By default beside the
        run file, ``<run>.png``.

    Returns
    -------
    Path
        The picture.

    Raises
    ------
    RunFileError
        The run file is missing, no run file, or damaged.
    InputError
        `output` has another suffix, or cannot be written.
    """
    target = _target(Path(path), None if output is None else Path(output))
    with RunFile(path) as run:
        from mho.analysis.figures.solve_figure import draw_run, save

        figure = draw_run(run)
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            save(figure, draft, FORMATS[target.suffix.lower()])
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"picture {target} cannot be written: {error.strerror}; choose another --output"
        ) from error
    return target


def _target(run: Path, output: Path | None) -> Path:
    if output is None:
        return run.with_suffix(".png")
    if output.is_dir():
        return output / f"{run.stem}.png"
    if output.suffix.lower() not in FORMATS:
        raise InputError(
            f"picture {output} has suffix {output.suffix or 'none'!r}; name one ending in .png, .svg or .pdf"
        )
    return output
