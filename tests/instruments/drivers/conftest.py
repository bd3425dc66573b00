"""What the tests of drivers share: the twin under test, at its address."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from wired_twins import registered


@pytest.fixture
def rack(request: pytest.FixtureRequest, twin: Any) -> Iterator[SimpleNamespace]:
    """Let PyVISA find the module's `twin` at the module's ``ADDRESS``, as ``bench@mho``."""
    with registered("bench", {request.module.ADDRESS: twin}) as rack:
        yield rack
