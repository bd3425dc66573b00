"""A fixture for tests of anybody's drivers: ``pytest_plugins = "mho.instruments.simulated.pytest_fixtures"``.

It is no entry point of pytest: those are imported by every run of everybody who has mho, whether they test drivers or not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from mho.instruments.simulated.racks import BareRack, rack


@pytest.fixture
def mho_rack() -> Iterator[Callable[..., BareRack]]:
    """Return a function that makes a rack of simulated instruments, as `mho.instruments.simulated.rack`, for this test."""
    with ExitStack() as racks:
        yield lambda *arguments, **options: racks.enter_context(rack(*arguments, **options))
