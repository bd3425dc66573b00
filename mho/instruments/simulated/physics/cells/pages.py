"""Arrays of zeros that take memory page by page, as their elements are first written.

NumPy asks for huge pages (2 MB, `MADV_HUGEPAGE`) where an array is large: the first read of one cell would then fill one of
each process of its noise, 22 MB in all, and take longer than everything else about the read.
"""

from __future__ import annotations

import math
import mmap
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

LARGE = 1 << 22  # bytes from which NumPy asks for huge pages


def zeros_by_page(shape: tuple[int, ...], dtype: DTypeLike = np.float64) -> NDArray[Any]:
    """Return an array of zeros, as `numpy.zeros`, whose pages are small where the system has memory by the page."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size < LARGE or not hasattr(mmap, "MAP_PRIVATE"):
        return np.zeros(shape, dtype)
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return np.frombuffer(memory, dtype).reshape(shape)
