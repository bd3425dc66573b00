"""Labelled samples to train on: two that come with mho, or a user's own ``.npz`` with ``x`` and ``y``."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats, Integers
from mho.errors import InputError
from mho.input_files import check_ordinary
from mho.procedures import nearest

MOST_VALUES = 20_000_000  # numbers of a user's own samples at most: 160 MB
LEAST_SAMPLES, MOST_CLASSES = 20, 1000

# Share of the loss of guessing, ln(classes), that a user's own samples are trained to unless said otherwise
OWN_TARGET = 0.1


@dataclass(frozen=True)
class Dataset:
    """Samples with their labels."""

    name: str
    x: Floats  # (samples, features)
    labels: Integers  # (samples,): from 0
    classes: int
    # Whether all features are of one kind, as pixels are: they keep their sizes relative to one another
    alike: bool
    target: float  # validation loss to train to unless said otherwise, nat


@dataclass(frozen=True)
class Split:
    """Samples to train on and samples to validate with, scaled alike."""

    x: Floats
    labels: Integers
    validation_x: Floats
    validation_labels: Integers


SHIPPED = {"digits": (True, 0.2), "iris": (False, 0.2)}  # whether their features are alike, and their target


def load_dataset(source: str | Path) -> Dataset:
    """Return samples by the name of a set that comes with mho, or from a ``.npz`` file with arrays x and y.

    Raises `InputError`: there is no such set or file, or what it holds cannot be trained on.
    """
    if str(source) in SHIPPED:
        alike, target = SHIPPED[str(source)]
        path = Path(__file__).parent / f"{source}.npz"
        return _dataset(str(source), *_read(path), alike=alike, target=target)
    path = Path(source)
    if path.suffix != ".npz":
        raise InputError(
            f"there is no data set {str(source)!r}; {nearest(str(source), SHIPPED)}; samples of your own come as a .npz "
            "file with arrays x (samples, features) and y (labels)"
        )
    return _dataset(path.name, *_read(path), alike=False, target=None)


def split(dataset: Dataset, validation: float, rng: np.random.Generator) -> Split:
    """Draw a share of the samples for validation, and scale all by mean and deviation of the others.

    Features that are alike share one deviation; others have their own, and those without any stay at zero.

    Raises `InputError`: a part has too few samples.
    """
    count = len(dataset.labels)
    number = round(count * (1.0 - validation))
    if min(number, count - number) < dataset.classes:
        raise InputError(
            f"{dataset.name} has {count} samples: with a share of {validation:g} for validation {number} are left to train "
            f"on and {count - number} to validate with, and each part needs at least as many as there are classes, "
            f"{dataset.classes}; change the share, or give more samples"
        )
    order = rng.permutation(count)
    first, second = order[:number], order[number:]
    mean, spread = dataset.x[first].mean(axis=0), dataset.x[first].std(axis=0)
    if dataset.alike:
        spread = np.full_like(spread, np.sqrt(np.mean(spread**2)))
    scaled = (dataset.x - mean) / np.where(spread > 0.0, spread, 1.0)
    return Split(scaled[first], dataset.labels[first], scaled[second], dataset.labels[second])


def _read(path: Path) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    try:
        check_ordinary(path)
        with np.load(path, allow_pickle=False) as stored:
            names = list(getattr(stored, "files", []))
            if {"x", "y"} <= set(names):
                return stored["x"], stored["y"]
    except FileNotFoundError:
        raise InputError(f"there is no file {path}; give a .npz file with arrays x and y") from None
    except InputError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path.name} cannot be read as a .npz file: {error}") from None
    arrays = ", ".join(names) or "one array without a name"
    raise InputError(f"{path.name} holds {arrays}; give arrays x (samples, features) and y (labels)")


def _dataset(
    name: str, x: NDArray[np.generic], y: NDArray[np.generic], *, alike: bool, target: float | None
) -> Dataset:
    if x.dtype.kind not in "iufb" or x.ndim != 2 or x.size == 0:
        raise InputError(
            f"{name}: x has the shape {x.shape} and the type {x.dtype}; give (samples, features) of numbers"
        )
    if x.size > MOST_VALUES:
        raise InputError(f"{name}: x has {x.size} numbers; {MOST_VALUES} is the most")
    if y.dtype.kind not in "iub" or y.ndim != 1 or len(y) != len(x):
        raise InputError(
            f"{name}: y has the shape {y.shape} and the type {y.dtype}; give a whole number a sample, {len(x)}"
        )
    values = x.astype(np.float64)
    if not np.isfinite(values).all():
        raise InputError(f"{name}: x holds a value that is not finite; leave such samples out")
    if len(x) < LEAST_SAMPLES:
        raise InputError(f"{name} has {len(x)} samples; give at least {LEAST_SAMPLES}")
    known, labels = np.unique(y, return_inverse=True)
    if not 2 <= len(known) <= MOST_CLASSES:
        raise InputError(f"{name}: y has {len(known)} different labels; give 2 to {MOST_CLASSES}")
    if not values.std(axis=0).any():
        raise InputError(f"{name}: all samples of x are the same; nothing can be learned from them")
    goal = OWN_TARGET * float(np.log(len(known))) if target is None else target
    return Dataset(name, values, labels.astype(np.int64), len(known), alike, goal)
