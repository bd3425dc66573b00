"""What applications share: matrices one after another on one chip, and the sum of what they cost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mho.extensions.applications.application import COUNTED, MATRICES, Application
from mho.procedures.catalogue import find_procedure
from mho.running import run
from mho.runs import Layout, RunFile

RNG = np.random.default_rng(1)
SYSTEMS = [RNG.standard_normal((n, n)) + n * np.eye(n) for n in (3, 5, 4)]


class Twice(Application):
    """Solve three systems, one after the other."""

    def layout(self, plan):
        return Layout((MATRICES,))

    def execute(self, plan, bench, stream):
        off = 0.0
        with self.holding(plan, bench, stream) as chip:
            for matrix in SYSTEMS:
                held = chip.hold(matrix)
                found = held.solve(np.ones(len(matrix)))
                assert found.converged.all()
                off = max(off, float(found.residuals.max()))
            return {"residual": off, **chip.costs()}


@pytest.mark.thorough
@pytest.mark.parametrize("bench", ["arrays", "simulated"])
def test_matrices_one_after_another_and_their_costs(bench: str, tmp_path: Path):
    path = tmp_path / "run.h5"
    run(Twice(bits=9), bench, seed=3, output=path)
    with RunFile(path) as file:
        rows, result = file.table("matrices"), file.summary
    assert rows["size"].tolist() == [3, 5, 4]
    assert result["matrices"] == 3
    assert result["answered"] == 3
    for name in ("cells", "cells_failed", "pulses"):
        assert result[name] == rows[name].sum()
    assert result["residual"] < 2.0**-7
    assert set(COUNTED) < set(result)
    assert result["inversions"] >= 3
    assert 0.0 < rows["joules"].sum() == pytest.approx(result["programming_joules"], rel=1e-12)
    assert result["joules"] > result["programming_joules"]


def test_a_run_file_of_before_the_extensions_names_its_procedure_otherwise() -> None:
    for former in ("mho.procedures:Mimo", "mho.procedures.applications.wireless.mimo:Mimo"):
        assert find_procedure(former) is find_procedure("mimo")
