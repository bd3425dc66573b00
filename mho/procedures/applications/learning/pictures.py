"""Reading and checking of grey pictures: matrices without a negative entry, whose largest is one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.matrix_files import load_matrix
from mho.errors import InputError
from mho.procedures.applications.image_files import read_image

Floats = NDArray[np.float64]

LARGEST = 512
"""Most rows or columns of a picture."""

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".pgm")


def sample_pictures() -> list[str]:
    """Return the names of the pictures that come with mho."""
    return sorted(path.stem for path in _samples().glob("*.npy"))


def load_picture(source: Any) -> Floats:
    """Return the grey picture in a file, or an array checked in the same way.

    Parameters
    ----------
    source : path, name or array_like
        One of `sample_pictures`, an image file (colours become their luminance), a matrix file, or numbers (rows, columns).

    Returns
    -------
    array, (rows, columns)
        From 0 to 1, the largest entry being 1.

    Raises
    ------
    InputError
        As `load_matrix`; a file that is no image; a negative entry; no entry but zeros; more than `LARGEST` rows or
        columns.
    """
    name = str(source) if isinstance(source, (str, Path)) else "the picture"
    if isinstance(source, str) and source in sample_pictures():
        source = _samples() / f"{source}.npy"
    if isinstance(source, (str, Path)) and Path(source).suffix.lower() in IMAGES:
        values = read_image(Path(source), LARGEST)
    elif isinstance(source, str) and not Path(source).suffix:
        raise InputError(
            f"there is no picture called {source!r}; there are {', '.join(sample_pictures())}; a file of yours ends in "
            f"{', '.join(IMAGES)}, .npy, .csv or .mtx"
        )
    else:
        numbers = load_matrix(source, square=False)
        if np.iscomplexobj(numbers):
            raise InputError(f"{name} is complex; a picture has real entries of 0 or more")
        values = np.asarray(numbers, dtype=np.float64)
    if max(values.shape) > LARGEST or min(values.shape) < 2:
        rows, columns = values.shape
        raise InputError(f"{name} has {rows} x {columns} pixels; give 2 to {LARGEST} a side")
    wrong = np.argwhere(values < 0.0)
    if wrong.size:
        row, column = wrong[0]
        raise InputError(
            f"{name}: entry [{row}, {column}], counted from 0, is {values[row, column]:g}; factors without negative "
            "entries make none: give a picture of 0 or more"
        )
    if not values.any():
        raise InputError(f"{name} is all black; give a picture with something in it")
    return np.asarray(values / values.max(), dtype=np.float64)


def _samples() -> Path:
    return Path(__file__).parent / "data"
