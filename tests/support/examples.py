"""How many examples of hypothesis a test takes that has a number of its own."""

from __future__ import annotations

from hypothesis import settings

EVERY_DAY = settings.get_profile("every day")


def examples(count: int) -> int:
    """Return this number, or a third of it in the tests of every day, see tests/conftest.py."""
    return max(1, count // 3) if settings().max_examples == EVERY_DAY.max_examples else count
