"""A large batch in halves, on two cores where there are two: each half draws from a generator of its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TypeVar

import numpy as np

Result = TypeVar("Result")


class Halves:
    """Runs a function on both halves of a batch; numpy's operations on large arrays do not wait for each other.

    The result does not depend on the number of cores, nor on which half is done first.

    Parameters
    ----------
    rng : numpy.random.Generator
        Whose children the halves draw from.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rngs = rng.spawn(2)

    @cached_property
    def _other(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(1, thread_name_prefix="half of a batch")

    def run(
        self, function: Callable[[slice, np.random.Generator], Result], count: int, *, apart: bool
    ) -> tuple[Result, Result]:
        """Return what `function` does with each half of `count` items and its generator.

        `apart` says that neither half changes what the other one uses: only then are they done at the same time.
        """
        (first, mine), (second, its) = zip(
            (slice(0, count // 2), slice(count // 2, count)), self._rngs, strict=True
        )
        if not apart or _cores() < 2:
            return function(first, mine), function(second, its)
        other = self._other.submit(function, second, its)
        try:
            own = function(first, mine)
        finally:
            result = other.result()
        return own, result


def _cores() -> int:
    """Return the number of cores that this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1
