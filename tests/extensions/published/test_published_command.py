"""`mho published`: a table beside the published numbers, JSON for machines, one line where something is wrong."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("mho.extensions.applications")  # on which some of the experiments stand
pytest.importorskip("mho.extensions.projection")


@pytest.mark.thorough
def test_the_numbers_are_printed_beside_the_published_ones(shell, tmp_path):
    path = tmp_path / "p.h5"
    code, out, err = shell("published", "4x4-12bit", "throughput", "--chips", 2, "--output", path)
    assert code == 0, err
    assert "relative error, cycle 1" in out
    assert "not decided: 2 chips cannot reject anything at 0.05; give at least 19" in out
    assert "a model, not chips: `mho projection`" in out
    assert str(path) in out.replace("\n", "")
    code, out, err = shell("show", path)
    assert code == 0, err
    assert "Published, version 1" in out


@pytest.mark.thorough
def test_a_machine_gets_json(shell, tmp_path):
    code, out, err = shell("published", "settling", "--chips", 1, "--json", "--output", tmp_path / "p.h5")
    assert code == 0, err
    told = json.loads(out)
    assert told["chips"] == 1
    assert told["joint_p"] is None
    (first, *_) = told["experiments"]["settling"]["numbers"]
    assert first["published"] == 120e-9
    assert 0.5 < first["deviation"] < 2.0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("4x4-24bits",), "unknown experiment '4x4-24bits': did you mean '4x4-24bit'?"),
        (("--chips", 0), "chips is 0; give a number from 1 to 10000"),
        (("--bench", "nowhere"), "nowhere"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(shell, words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = shell("published", *words)
    assert code == 2
    assert message in err
    assert len(err.splitlines()) == 1
    assert out == ""
