"""The run file of every procedure follows the NeXus definition NXrram_array, and silx opens it at a plot."""

from __future__ import annotations

from pathlib import Path

import pytest
import silx.io
from daily import daily
from safety_runs import HEATED, PROCEDURES, SIMULATED, bench_file
from silx.io.nxdata import get_default

from mho import run
from mho.instruments import open_bench
from mho.runs import Verdict, check_conformance, verify


@pytest.mark.parametrize("name", daily(PROCEDURES, 4))
def test_its_run_file_follows_the_definition_and_opens_at_a_plot(
    name: str, tmp_path_factory: pytest.TempPathFactory
):
    folder: Path = tmp_path_factory.mktemp("definition")
    with open_bench(bench_file(folder, HEATED if name == "retention" else SIMULATED), seed=1) as bench:
        run(PROCEDURES[name](), bench, seed=1, output=folder / "run.h5")
    path = folder / "run.h5"
    assert check_conformance(path).deviations == ()
    assert verify(path).verdict is Verdict.SOUND
    with silx.io.open(str(path)) as file:
        assert get_default(file) is not None
