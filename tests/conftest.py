"""What every test shares: the repository's packages, no window on the screen, no run file in the checkout."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

# The folders below tests/ carry the packages' names, and pytest puts tests/ on the path: without this a
# test of chip_maps would import tests/chip_maps. It also makes `benchmarks`, which is not installed, visible.
sys.path.insert(0, str(ROOT))

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")  # before anything imports Qt

settings.register_profile("mho", deadline=None, derandomize=True)
settings.load_profile("mho")


@pytest.fixture(scope="session", autouse=True)
def runs_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Let run files land in a folder of this session, never in ``data/runs``."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MHO_RUNS", str(folder))
        yield folder
