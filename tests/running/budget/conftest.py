"""A run that several tests of budgets use."""

from __future__ import annotations

from pathlib import Path

import pytest

from mho.procedures import Invert
from mho.running import run


@pytest.fixture(scope="session")
def inverted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A matrix inverted on arrays of the preset `pku`."""
    path = tmp_path_factory.mktemp("inverted") / "invert.h5"
    procedure = Invert(conditions="3", size=4, vectors=3, scales=8, steps=1)
    run(procedure, "arrays", seed=3, preset="pku", output=path)
    return path
