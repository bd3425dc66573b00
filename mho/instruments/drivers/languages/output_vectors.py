"""Vectors for a DAQ's outputs: checked before anything is sent, and the outputs at 0 V when playing them fails."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import ArrayLike

from mho.array_types import Floats
from mho.errors import InputError, InstrumentError, LimitError

log = logging.getLogger(__name__)


@contextmanager
def zero_on_error(make_safe: Callable[[], None]) -> Iterator[None]:
    """Make outputs safe when the block fails; a note on the error, and the log, say where this is not confirmed."""
    try:
        yield
    except BaseException as error:
        try:
            make_safe()
        except InstrumentError as worse:
            error.add_note(str(worse))
            log.critical("%s", worse)
        raise


def checked_vectors(
    volts: ArrayLike, count: int, low: float, high: float, who: str, name: Callable[[int], str]
) -> Floats:
    """Return `volts` as (samples, outputs) when `count` outputs of the range `low` to `high` (V) can play them.

    `who` is the instrument, `name` returns the name of an output, for the error: `InputError` for another shape or more
    columns than outputs, `LimitError` for a value beyond the range or NaN.
    """
    vectors = np.atleast_2d(np.asarray(volts, dtype=np.float64))
    if vectors.ndim != 2 or 0 in vectors.shape or vectors.shape[1] > count:
        raise InputError(
            f"{who}: vectors of shape {vectors.shape} do not fit; give (samples, 1 to {count} outputs)"
        )
    # Written so that NaN counts as beyond the limits.
    if not (vectors.min() >= low and vectors.max() <= high):
        sample, output = np.argwhere(~((vectors >= low) & (vectors <= high)))[0]
        raise LimitError(
            f"{name(int(output))}: {vectors[sample, output]:g} V (sample {sample}) is outside "
            f"{low:g} V to {high:g} V; scale the vectors down"
        )
    return vectors
