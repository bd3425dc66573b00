"""Every procedure on every bench of the docs: what its operations allow runs on twins, the rest says what is missing."""

from __future__ import annotations

import tomllib
from contextlib import nullcontext, suppress

import numpy as np
import pytest
from daily import daily
from repository import ROOT
from safety_runs import PROCEDURES

from mho import run
from mho.errors import BenchError, ChipMapError, InputError
from mho.instruments.bench_file import load_bench_file, missing_operations
from mho.instruments.opening.opening import open_rehearsal
from mho.procedures.manifest import known_entries
from mho.procedures.needs import abilities, check_needs

BENCHES = {
    path.stem: path for path in sorted((ROOT / "docs/benches").glob("*.toml"))
    if "instruments" in tomllib.loads(path.read_text("utf-8"))
}  # fmt: skip
# That must be among what runs, lest all be refused
RUNS = {
    "arc-two": {"disturb", "endurance", "form", "iv", "map", "noise", "read", "switching"},
    "chip-carrier": {"contact", "endurance", "form", "invert", "iv", "multiply", "program", "read", "solve", "switching"},
    "microcontroller": {"contact", "disturb", "endurance", "form", "map", "multiply", "program", "read", "response"},
    "meter-source-generator": {"contact", "endurance", "form", "iv", "noise", "program", "read", "switching"},
    "parameter-analyser": {"contact", "endurance", "form", "iv", "noise", "program", "read", "switching"},
    "passive-crossbar": {"disturb", "endurance", "form", "iv", "map", "noise", "read", "switching"},
    "probe-station": {"disturb", "endurance", "form", "iv", "noise", "read", "switching"},
    "row-of-devices": {"disturb", "endurance", "form", "iv", "noise", "read", "switching"},
    "self-programming": {"map", "multiply", "program", "read", "refresh"},
    "digital-pattern": {"contact", "endurance", "form", "iv", "noise", "program", "read", "switching"},
    "daq-alone": {"iv", "map", "noise", "read"},
    "daq-row": {"contact", "disturb", "endurance", "form", "iv", "multiply", "program", "read", "switching"},
    "two-channels": {"contact", "endurance", "form", "iv", "noise", "program", "read", "switching"},
}  # fmt: skip


def fitted(name, chip):
    """Return a short procedure on a few cells of a chip."""
    procedure, array = PROCEDURES[name](), chip["arrays"][0]
    lines = {count: "0" if array[count] == 1 else "0:2" for count in ("rows", "columns")}
    for parameter, value in {"array": array["name"], **lines}.items():
        if parameter in procedure.form():
            setattr(procedure, parameter, value)
    if name in ("program", "refresh"):
        procedure.digits = np.full(
            [len(range(*map(int, f"{text}:1".split(":")[:2]))) or 1 for text in lines.values()], 3
        )
    return procedure


def may_be_refused(name, chip):
    """Let the refresh of cells that nobody has programmed be refused, and a product on one column."""
    if name == "multiply" and chip["arrays"][0]["columns"] == 1:
        return pytest.raises(ChipMapError, match="2 columns of 2 cells do not fit")
    return suppress(InputError) if name == "refresh" else nullcontext()


@pytest.mark.filterwarnings("ignore::mho.errors.RunWarning")
@pytest.mark.parametrize("bench", daily(sorted(BENCHES), 2))
def test_what_the_operations_of_a_bench_allow_runs_and_leaves_it_safe(bench):
    source, ran = load_bench_file(str(BENCHES[bench])), set()
    chip = tomllib.loads(source.chip_text)
    able = {one.procedure: not one.missing for one in abilities(source.bench, known_entries().values())}
    for name in PROCEDURES:
        procedure = fitted(name, chip)
        if missing_operations(source.bench, procedure.needed()):
            with pytest.raises(BenchError, match="nothing there serves `"):
                check_needs(procedure, source.bench)
            continue
        assert able[name], name
        with open_rehearsal(source, seed=1) as opened, may_be_refused(name, chip):
            run(procedure, opened, seed=1, output=None)
        assert opened.laboratory.live() == (), name
        assert opened.laboratory.incidents == [], name
        ran.add(name)
    assert ran >= RUNS[bench]
