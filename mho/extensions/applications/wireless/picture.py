"""A grey picture of 8 bits a pixel as symbols' bits and back: a small one that is drawn here, or a file's."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mho.array_types import Bytes
from mho.chip_maps import load_digits
from mho.errors import InputError
from mho.extensions.applications.image_files import read_image

SAMPLE = "sample"  # what the picture that is drawn here is called
MOST_PIXELS = 65_536
DEPTH = 8  # bits of a pixel
NUMBERS = (".npy", ".csv", ".mtx")


def load_picture(source: str) -> Bytes:
    """Return the picture in a file, (rows, columns), or the `sample`.

    `source`: ``sample``; a file of whole numbers from 0 to 255 (``.npy``, ``.csv``, ``.mtx``), or a picture (``.png``
    and whatever Pillow reads), of which colours become grey. Raises `InputError`: a file that is missing or cannot be
    read; numbers that are no grey values; more pixels than are sent.
    """
    if source.strip() == SAMPLE:
        return sample_picture()
    path = Path(source)
    if path.suffix.lower() in NUMBERS:
        values = _numbers(path)
    else:
        values = np.rint(255.0 * read_image(path, MOST_PIXELS)).astype(np.uint8)
    if not 1 <= values.size <= MOST_PIXELS:
        rows, columns = values.shape
        raise InputError(
            f"the image {path} has {rows} x {columns} pixels; {MOST_PIXELS} are the most, so make it smaller"
        )
    return values


def to_bits(picture: Bytes, bits_of_symbol: int, users: int) -> Bytes:
    """Return the bits of a picture, row by row, in the order in which they are sent.

    Result (vectors, users, bits_of_symbol): filled up with zeros to whole vectors.
    """
    bits = np.unpackbits(picture.ravel())
    whole = users * bits_of_symbol
    return np.pad(bits, (0, -len(bits) % whole)).reshape(-1, users, bits_of_symbol)


def from_bits(bits: Bytes, shape: tuple[int, int]) -> Bytes:
    """Invert `to_bits`."""
    pixels = np.packbits(bits.ravel()[: DEPTH * shape[0] * shape[1]])
    return pixels.reshape(shape)


def sample_picture(side: int = 96) -> Bytes:
    """Draw a lake below mountains at dusk, (side, side): smooth parts, edges and fine structure, from formulas alone."""
    down, across = np.mgrid[0:side, 0:side] / side
    sky = 150.0 + 90.0 * np.exp(-4.0 * (0.58 - down).clip(0.0))
    distance = np.hypot(across - 0.68, down - 0.27)
    sky += 60.0 * np.exp(-((distance / 0.22) ** 2))
    picture = np.where(distance < 0.095, 255.0, sky)
    for height, swing, waves, phase, shade in (
        (0.44, 0.085, (1.3, 3.1, 7.0), 0.4, 122.0), (0.52, 0.070, (1.9, 4.3, 9.0), 2.1, 74.0),
        (0.585, 0.030, (2.6, 6.7, 15.0), 4.0, 30.0),
    ):  # fmt: skip
        ridge = height - swing * sum(
            np.sin(2.0 * np.pi * wave * across + phase * (order + 1)) / (order + 1)
            for order, wave in enumerate(waves)
        )
        below = down >= ridge
        picture = np.where(below, shade + 55.0 * (down - ridge).clip(0.0, 0.25), picture)
    shore = 0.66
    water = down >= shore
    mirrored = (2.0 * shore - down).clip(0.0)
    ripple = 0.012 * np.sin(2.0 * np.pi * 22.0 * down)
    rows = np.clip(np.rint(mirrored * side), 0, side - 1).astype(int)
    columns = np.clip(np.rint((across + ripple) * side), 0, side - 1).astype(int)
    picture = np.where(
        water, 0.72 * picture[rows, columns] + 12.0 * np.sin(2.0 * np.pi * 26.0 * down), picture
    )
    return np.rint(picture).clip(0.0, 255.0).astype(np.uint8)


def _numbers(path: Path) -> Bytes:
    digits = load_digits(str(path))
    if digits.max() > 255:
        row, column = np.unravel_index(int(digits.argmax()), digits.shape)
        raise InputError(
            f"the image {path}: pixel [{row}, {column}], counted from 0, is {digits.max()}; grey values go from 0 to 255"
        )
    return digits.astype(np.uint8)
