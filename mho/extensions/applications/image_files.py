"""Image files as grey values: what every application that takes a picture reads with."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from mho.array_types import Floats
from mho.errors import InputError
from mho.input_files import check_ordinary

LUMINANCE = np.array([0.299, 0.587, 0.114])  # shares of red, green and blue in the brightness, ITU-R BT.601

# White, by Pillow's names of grey modes
FULL_SCALES = {"1": 1.0, "L": 255.0, "I": 65_535.0, "I;16": 65_535.0, "F": 1.0}


def read_image(path: Path, largest: int) -> Floats:
    """Return an image (rows, columns) as Pillow decodes it, 0 black and 1 white; colours become their luminance.

    Raises `InputError`: for a file that is missing or no image, and more than `largest` rows or columns, which are not
    decoded.
    """
    from PIL import Image, UnidentifiedImageError  # loads slowly

    try:
        check_ordinary(path)
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                _check_size(path, image.size, largest)
                scale = FULL_SCALES.get(image.mode)
                values = np.asarray(image.convert("RGB") if scale is None else image, dtype=np.float64)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; give the path of a picture") from None
    except UnidentifiedImageError:
        raise InputError(f"{path} is no image that can be read; save it as .png") from None
    except InputError:
        raise
    except (
        OSError,
        ValueError,
        SyntaxError,
        Image.DecompressionBombWarning,
        Image.DecompressionBombError,
    ) as error:
        reason = getattr(error, "strerror", None) or (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path} cannot be read: {reason}; save it again as .png") from None
    return np.asarray(values @ LUMINANCE / 255.0 if scale is None else values / scale)


def _check_size(path: Path, size: tuple[int, int], largest: int) -> None:
    """Raise `InputError` for a picture of more pixels a side, before they are unpacked."""
    width, height = size
    if max(size) > largest:
        raise InputError(f"{path} has {height} x {width} pixels; give at most {largest} a side")
