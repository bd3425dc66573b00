"""Policies found on the bench `arrays`: reproducible, cheaper on chips not seen, within limits, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.errors import InputError
from mho.extensions.optimise import (
    PolicySearch,
    ProgrammingPolicy,
    Twin,
    check_writable,
    optimise,
    write_settings,
)
from mho.extensions.optimise import policies as module
from mho.extensions.optimise.policies import objective, quietly
from mho.extensions.optimise.twin import VALIDATED
from mho.procedures import find_strategy

SMALL = {"seconds": None, "chips": 5, "cells": 64}
CHIPS = {"bench": "arrays", "preset": "ideal"}


def search(strategy: str, *, progress: Any = quietly, **changed: Any) -> ProgrammingPolicy:
    """Return the policy of a small search with some things changed, of the twin or of the search."""
    twin = {name: changed.pop(name) for name in ("bench", "preset", "array", "after") if name in changed}
    return optimise(strategy, Twin(**CHIPS | twin), PolicySearch(**SMALL | changed), progress)


@pytest.fixture(scope="module")
def policy() -> ProgrammingPolicy:
    return search("asap", evaluations=14, write_verify="coarse_share=0.4", success=0.95)


@pytest.mark.thorough
def test_it_finds_what_a_poor_setting_costs(policy):
    saved = policy.saved("both")
    assert policy.reached
    assert saved.low > 0.05
    assert policy.ended == "budget"
    assert {one.evaluation for one in policy.trials} == set(range(1, 15))


@pytest.mark.thorough
def test_fewer_settings_get_more_cells(policy):
    counts = [len([one for one in policy.trials if one.cells == cells]) for cells in (64, 256, 1024)]
    assert counts[0] == 13
    assert counts[0] > counts[1] > counts[2] - 1 > 0  # and the present ones on most


@pytest.mark.thorough
def test_the_same_arguments_give_the_same_answer(policy):
    again = search("asap", evaluations=14, write_verify="coarse_share=0.4", success=0.95)
    assert again.settings == policy.settings
    assert [one.pulses.tolist() for one in again.after] == [one.pulses.tolist() for one in policy.after]


@pytest.mark.thorough
def test_both_settings_program_the_same_digits(policy):
    for before, after in zip(policy.before, policy.after, strict=True):
        assert np.array_equal(before.digits, after.digits)
    assert not np.array_equal(policy.after[0].digits, policy.after[1].digits)


@pytest.mark.thorough
def test_nothing_beyond_the_limits_is_tried(policy):
    for one in policy.trials:
        policy.twin.check(find_strategy("asap"), one.settings)


@pytest.mark.thorough
def test_all_finds_the_strategy_too():
    found = search("all", evaluations=5, success=0.9)
    assert {one.strategy for one in found.trials} == {"asap", "ispp", "fppv", "gdp", "model"}
    assert found.present_strategy == "asap"
    assert found.settings.strategy == found.strategy


@pytest.mark.thorough
def test_success_may_be_judged_later_when_cells_have_relaxed():
    arguments = {"strategy": find_strategy("asap"), "settings": WriteVerifySettings(inner=1.0), "cells": 256}
    at_once, later = (
        Twin("arrays", "relaxing", 0, after=after).program(purpose=VALIDATED, number=0, **arguments)
        for after in (0.0, 3600.0)
    )
    assert np.array_equal(at_once.inside, later.inside)  # the same chip, programmed alike
    assert later.success < 0.7 < 0.95 < at_once.success
    assert at_once.held == pytest.approx(later.success)


@pytest.mark.thorough
def test_a_success_that_nothing_reaches_is_not_written(tmp_path):
    poor = search("asap", evaluations=2, success=1.0, write_verify="max_pulses=1", vary={"inner": None})
    assert not poor.reached
    with pytest.raises(InputError, match="do not reach"):
        write_settings(poor, tmp_path / "s.toml")
    assert not list(tmp_path.iterdir())


@pytest.mark.thorough
def test_an_interruption_keeps_the_best_so_far():
    calls = 0

    def progress(stage: str, done: int, total: int, best: str) -> None:
        nonlocal calls
        calls += 1
        if calls == 6:
            raise KeyboardInterrupt

    found = search("asap", evaluations=50, success=0.9, progress=progress)
    assert found.ended == "interrupted"
    assert len(found.after) == 5
    assert 1 < len(found.trials) < 10


def test_the_time_ends_a_search(monkeypatch):
    times = iter(range(1000))
    monkeypatch.setattr(module.time, "monotonic", lambda: float(next(times)))
    found = search("asap", evaluations=50, success=0.9, seconds=5.0)
    assert found.ended == "time"
    assert len({one.evaluation for one in found.trials}) < 10


@pytest.mark.thorough
def test_strategies_share_the_time(monkeypatch):
    times = iter(range(10_000))
    monkeypatch.setattr(module.time, "monotonic", lambda: float(next(times)))
    found = search("all", evaluations=400, success=0.9, seconds=15.0)
    assert found.ended == "time"
    assert {one.strategy for one in found.trials} == {"asap", "ispp", "fppv", "gdp", "model"}


def test_a_short_success_costs_more_than_its_error():
    assert objective(10.0, 0.99, 0.99, 1024) == 10.0
    assert objective(10.0, 0.985, 0.99, 64) == 10.0  # within the error of so few cells
    assert objective(10.0, 0.95, 0.99, 1024) > 20.0


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"strategy": "modle"}, "did you mean 'model'"),
        ({"success": 1.2}, "above 0 and up to 1"),
        ({"cost": "money"}, "there are both, pulses, reads, time"),
        ({"evaluations": 0}, "budget of 0"),
        ({"seconds": 0.0}, "tries nothing"),
        ({"chips": 1}, "no interval"),
        ({"cells": 4}, "too few"),
        ({"after": -1.0}, "judged -1 s"),
        ({"search": "grid"}, "evolution"),
        ({"preset": "stanford"}, "law 'threshold'.*--bench"),
        ({"array": "multply"}, "did you mean 'multiply'"),
    ],
)
def test_what_cannot_be_used_is_refused(changed, words):
    with pytest.raises(InputError, match=words):
        search(**{"strategy": "asap"} | changed)


def test_a_place_that_cannot_be_written_is_refused_before_the_search(tmp_path):
    there = tmp_path / "s.toml"
    there.write_text("", "utf-8")
    for path, words in (
        (tmp_path, "ends in .toml"),
        (there, "--force"),
        (tmp_path / "no" / "s.toml", "no folder"),
    ):
        with pytest.raises(InputError, match=words):
            check_writable(path)
    check_writable(there, force=True)
    with pytest.raises(InputError, match="cannot be written"):
        check_writable(tmp_path / f"{'s' * 245}.toml")  # too long a name for the draft
    assert [one.name for one in tmp_path.iterdir()] == ["s.toml"]
