"""`mho optimise`: a policy in sentences or JSON, a settings file that `program` takes, and a run held to it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from daily import daily

SMALL = (
    "--bench",
    "arrays",
    "--preset",
    "ideal",
    "--chips",
    5,
    "--cells",
    64,
    "--budget",
    3,
    "--success",
    0.9,
)


@pytest.fixture
def settings(shell, tmp_path):
    path = tmp_path / "settings.toml"
    code, out, err = shell("optimise", "asap", *SMALL, "--to", path)
    assert code == 0, err
    assert "pulses and reads a cell" in out
    assert "in their windows an hour later" in out
    assert "pulses by digit" in out
    assert str(path) in out.replace("\n", "")
    return path


@pytest.mark.thorough
def test_a_run_with_the_settings_found_is_held_to_the_prediction(shell, settings, tmp_path):
    digits, run = tmp_path / "d.npy", tmp_path / "r.h5"
    np.save(digits, np.random.default_rng(1).integers(0, 8, (8, 8)))
    program = ("run", "program", digits, "--bench", "arrays", "--preset", "ideal", "--seed", 3, "--output")
    assert shell(*program, run, "--write-verify", settings)[0] == 0
    code, out, _ = shell("optimise", settings, "--compare", run, "--json")
    assert code == 0
    told = json.loads(out)
    assert set(told) == {"pulses", "reads", "success"}
    assert told["success"]["measured"] == 1.0
    assert told["pulses"]["predicted"]["low"] <= told["pulses"]["predicted"]["mean"]
    code, out, _ = shell("optimise", settings, "--compare", run)
    assert "beside the prediction in" in out
    assert "measured" in out

    other = tmp_path / "o.h5"
    assert shell(*program, other, "--write-verify", "inner=0.123")[0] == 0
    code, _, err = shell("optimise", settings, "--compare", other)
    assert code == 2
    assert "the prediction is not of this run" in err


@pytest.mark.thorough
def test_a_machine_gets_json_and_the_same_again(shell):
    first, second = (json.loads(shell("optimise", "asap", *SMALL, "--json")[1]) for _ in range(2))
    assert first == second
    assert first["reached"] is True
    assert first["costs"]["both"]["saved"]["low"] <= first["costs"]["both"]["saved"]["high"]
    assert first["prediction"]["chips"] == 5


@pytest.mark.thorough
def test_a_success_that_was_not_reached_is_said_and_nothing_is_written(shell, tmp_path):
    path = tmp_path / "s.toml"
    words = [*SMALL[:-1], 1.0, "--write-verify", "max_pulses=1", "--vary", "inner", "--to", path]
    code, _, err = shell("optimise", "asap", *words)
    assert code == 1
    assert "no setting tried reached a success of 1; the best reached 0." in err
    assert not path.exists()


@pytest.mark.parametrize(
    ("words", "told"),
    daily(
        [
            (("modl",), "did you mean 'model'"),
            (("asap", "--budget", 0), "budget of 0"),
            (("asap", "--vary", "inner=low"), "give two numbers"),
            (("asap", "--vary", "inner,inner"), "twice"),
            (("asap", "--to", "no/such/folder/s.toml"), "there is no folder"),
            (("asap", "--bench", "arrays", "--preset", "stanford35"), "by the law"),
            (("nothing.toml", "--compare", "r.h5"), "cannot read settings file"),
        ],
        3,
    ),
)
def test_what_cannot_be_used_is_answered_in_one_line(shell, words, told):
    code, out, err = shell("optimise", *words)
    assert (code, out) == (2, "")
    assert told in err
    assert err.count("\n") == 1
