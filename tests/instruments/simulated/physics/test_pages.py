"""Zeros by the page: as NumPy's, but only pages with something in them take memory."""

from pathlib import Path

import numpy as np
import psutil
import pytest

from mho.instruments.simulated.physics.blocks import LARGE, zeros_by_page

HUGE = 1 << 21  # bytes of a huge page
SETTING = Path("/sys/kernel/mm/transparent_hugepage/enabled")


@pytest.mark.parametrize("shape", [(3, 5), (11, 1024, 512)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint32])
def test_they_are_zeros_that_can_be_written(shape, dtype):
    some = zeros_by_page(shape, dtype)
    assert (some.shape, some.dtype) == (shape, dtype)
    some[-1] += dtype(2)
    assert not some[:-1].any()
    assert (some[-1] == 2).all()
    assert (some.copy() == some).all()


@pytest.mark.skipif(
    not SETTING.exists() or "[always]" in SETTING.read_text("utf-8"), reason="memory comes in huge pages here"
)
def test_an_element_takes_a_page_and_not_a_huge_one():
    process = psutil.Process()
    some = zeros_by_page((16 * HUGE,), np.uint8)
    assert some.nbytes > LARGE
    before = process.memory_info().rss
    some[HUGE // 2 :: HUGE] = 1
    assert process.memory_info().rss - before < 2 * HUGE
