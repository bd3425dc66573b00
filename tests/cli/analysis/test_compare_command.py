"""`mho compare` on the terminal and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from run_samples import failed_run, whole_run

from mho.runs import Layout, RunHeader, RunWriter


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for preset, base in (("ideal", 1.0), ("pku", 5.0)):
        for seed in range(6):
            kept = {"preset": preset, "seed": str(seed)}
            header = RunHeader("R", "Read", "1", {}, bench="[simulation]\n", provenance=kept)
            with RunWriter.create(tmp_path / "runs" / f"{preset}{seed}.h5", header, Layout()) as writer:
                writer.set_result({"mean": (base + 0.1 * seed) * 1e-6, "cells": 4}, {"mean": "S"})
    return tmp_path / "runs"


def test_two_files_side_by_side(shell, tmp_path) -> None:
    whole_run(tmp_path / "a.h5")
    whole_run(tmp_path / "b.h5", cycles=3, title="Another")
    code, out, err = shell("compare", tmp_path / "a.h5", tmp_path / "b.h5")
    assert (code, err) == (0, "")
    assert "b compared with a" in out
    assert "Each side is a single run" in out
    assert "Settings that differ (the same: " in out


@pytest.mark.thorough
def test_groups_with_effects(shell, folder) -> None:
    code, out, err = shell("compare", folder, "--by", "preset")
    assert (code, err) == (0, "")
    assert "pku (6 runs) compared with ideal (6 runs)" in out
    line = next(one for one in out.splitlines() if "+4 [" in one)
    assert line.split()[0] == "pku"
    assert " 1 [" in line  # Cliff's delta
    assert "mean (µS)" in out
    assert "cells" not in out
    assert "cells" in shell("compare", folder, "--by", "preset", "--all")[1]


def test_against_takes_all_words_up_to_the_next_option(shell, folder) -> None:
    ideal, pku = (sorted(folder.glob(f"{name}*.h5")) for name in ("ideal", "pku"))
    code, out, _ = shell("compare", *ideal, "--against", *pku, "--json")
    assert code == 0
    told = json.loads(out)
    assert [len(side["runs"]) for side in told["sides"]] == [6, 6]
    assert told["results"][0]["name"] == "mean"
    assert told["results"][0]["effects"][0]["difference"]["value"] == pytest.approx(4e-6)
    assert told["results"][0]["effects"][0]["cliffs_delta"]["value"] == 1.0
    code, out, _ = shell("compare", "--against", *pku, "--mean", *ideal)
    assert code == 0  # the option ends the other lot
    assert "mean (quartiles), n" in out


def test_json_has_null_where_there_is_no_number(shell, folder) -> None:
    told = json.loads(shell("compare", folder / "ideal0.h5", folder / "pku0.h5", "--json")[1])
    assert told["results"][0]["effects"][0]["hedges_g"] == {"value": None, "low": None, "high": None}


@pytest.mark.thorough
def test_what_did_not_finish_is_said_and_what_is_damaged_is_named(shell, folder) -> None:
    failed_run(folder / "failed.h5")
    (folder / "bad.h5").write_bytes(b"no run file")
    code, _, err = shell("compare", folder, "--by", "procedure")
    assert code == 2
    assert "runs of Read and Solve have no result in common" in err
    code, _, err = shell(
        "compare", folder / "failed.h5", folder / "failed.h5", "--against", folder / "bad.h5"
    )
    assert code == 2
    assert "no run can be read" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "missing argument"),
        (("none.h5", "other.h5"), "does not exist"),
        (("--by",), "requires an argument"),
    ],
)
def test_what_was_typed_wrong_is_answered(shell, words, said) -> None:
    code, _, err = shell("compare", *words)
    assert code == 2
    assert said in err.lower()
