"""What the tests of instruments share."""

from __future__ import annotations

import os

import pytest

from mho.instruments.bench import locking


@pytest.fixture
def own_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep locks of benches apart from other processes': their tests use benches of the same addresses."""
    monkeypatch.setattr(locking, "PREFIX", f"{locking.PREFIX}-{os.getpid()}")
