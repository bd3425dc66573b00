"""Runs in groups of equal facts, parameters and results; files that cannot be read are named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mho.analysis.grouping import group_runs, read_cards, varied_within
from mho.errors import InputError
from mho.runs import Layout, RecordedParameter, RunHeader, RunWriter
from mho.runs.index import ResultQuantity


def write(path: Path, *, preset: str = "quiet", seed: int = 0, bits: int = 8, **results: object) -> None:
    parameters = {"bits": RecordedParameter(bits, "bit"), "seed": RecordedParameter(seed, "")}
    header = RunHeader("A run", "Mine", "1", parameters, provenance={"preset": preset, "seed": str(seed)})
    with RunWriter.create(path, header, Layout()) as run:
        run.set_result(results)


def test_runs_are_grouped_by_facts_parameters_and_results_in_their_order(tmp_path: Path) -> None:
    for number, (preset, bits, done) in enumerate([("b", 16, True), ("a", 8, False), ("b", 8, True)]):
        write(tmp_path / f"{number}.h5", preset=preset, bits=bits, seed=number, done=done)
    runs, _ = read_cards([tmp_path])
    assert [(one.label, one.runs) for one in group_runs(("preset",), runs)] == [("b", (0, 2)), ("a", (1,))]
    assert [one.label for one in group_runs(("bits",), runs)] == ["bits 8 bit", "bits 16 bit"]
    assert [one.label for one in group_runs(("result.done",), runs)] == ["done no", "done yes"]
    pairs = group_runs(("Preset", "parameter.bits"), runs)
    assert [one.label for one in pairs] == ["b, bits 8 bit", "b, bits 16 bit", "a, bits 8 bit"]
    assert varied_within(group_runs(("preset",), runs), runs) == ("bits",)
    with pytest.raises(InputError, match=r"no run has anything called 'prest'; did you mean preset"):
        group_runs(("prest",), runs)
    with pytest.raises(InputError, match=r"called 'result\.dune'; did you mean done"):
        group_runs(("result.dune",), runs)


def test_a_run_without_the_value_has_a_group_of_its_own(tmp_path: Path) -> None:
    write(tmp_path / "a.h5", rho=0.5)
    write(tmp_path / "b.h5")
    runs, _ = read_cards([tmp_path])
    assert [one.label for one in group_runs(("rho",), runs)] == ["rho 0.5", "no rho"]


def test_numbers_are_ordered_by_size_and_words_as_they_came(tmp_path: Path) -> None:
    for number, (preset, rho) in enumerate([("b", 10.0), ("a", 9.0), ("b", 0.5)]):
        write(tmp_path / f"{number}.h5", preset=preset, rho=rho)
    runs, _ = read_cards([tmp_path])
    assert [one.label for one in group_runs(("rho",), runs)] == ["rho 0.5", "rho 9", "rho 10"]
    assert [one.label for one in group_runs(("preset",), runs)] == ["b", "a"]
    assert [one.label for one in group_runs((), runs)] == ["all runs"]


def test_runs_whose_value_is_no_number_are_one_group_after_the_numbers(tmp_path: Path) -> None:
    write(tmp_path / "a.h5")
    (run,), _ = read_cards([tmp_path])
    results = ((ResultQuantity("error", float(text), text),) for text in ("nan", "0.5", "nan"))
    runs = [replace(run, card=replace(run.card, results=result)) for result in results]
    groups = [(one.label, one.runs) for one in group_runs(("error",), runs)]
    assert groups == [("error 0.5", (1,)), ("error nan", (0, 2))]


def test_a_group_is_called_by_all_digits_of_its_seed(tmp_path: Path) -> None:
    for seed in (20261102, 20261101):
        write(tmp_path / f"{seed}.h5", seed=seed)
    runs, _ = read_cards([tmp_path])
    for by in ("seed", "parameter.seed"):
        assert [one.label for one in group_runs((by,), runs)] == ["seed 20261101", "seed 20261102"]


def test_a_damaged_file_is_left_out_with_its_reason_and_none_at_all_is_refused(tmp_path: Path) -> None:
    (tmp_path / "torn.h5").write_bytes(b"no run")
    with pytest.raises(InputError, match=r"none of 1 run files can be read: .*torn"):
        read_cards([tmp_path])
    write(tmp_path / "whole.h5")
    runs, skipped = read_cards([tmp_path])
    assert [one.path.name for one in runs] == ["whole.h5"]
    assert [Path(one.path).name for one in skipped] == ["torn.h5"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty is a folder without run files"):
        read_cards([tmp_path / "empty"])
