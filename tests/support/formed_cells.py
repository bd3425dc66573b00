"""Cells to experiment with: a bench whose cells are formed and hold levels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mho.instruments import Bench, open_bench
from mho.instruments.simulated.physics.cells import presets
from mho.procedures import Program
from mho.procedures.stream import NullStream


@contextmanager
def bench_with(digits: Any, name: str = "simulated", preset: str = "pku", seed: int = 1) -> Iterator[Bench]:
    """Open a bench whose cells from [0, 0] of the multiplying array on are programmed to `digits`."""
    with open_bench(name, preset=preset, seed=seed) as bench:
        program(bench, digits)
        yield bench


def program(bench: Bench, digits: Any) -> None:
    """Program cells once, without a run file."""
    procedure = Program(digits=np.asarray(digits), passes=0)
    plan = procedure.prepare(procedure.check(), bench, np.random.default_rng(1))
    procedure.execute(plan, bench, NullStream())


def changed_preset(monkeypatch: pytest.MonkeyPatch, name: str, **values: float) -> None:
    """Change numbers of a preset of cells for this test."""
    monkeypatch.setitem(presets.CELL_PRESETS, name, replace(presets.CELL_PRESETS[name], **values))
