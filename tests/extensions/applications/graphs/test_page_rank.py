"""PageRank on the bench: as the digital answer, at the wire too, and what is refused or said."""

from __future__ import annotations

import numpy as np
import pytest

from mho.errors import InputError
from mho.extensions.applications import PageRank
from mho.procedures.stream import Message, Row
from mho.running import run
from mho.runs import RunFile


@pytest.mark.thorough
def test_the_club_is_ranked_as_digitally(tmp_path):
    path = tmp_path / "run.h5"
    run(PageRank(), "arrays", seed=1, output=path)
    with RunFile(path) as file:
        result, scores, cycles = file.summary, file.table("scores"), file.table("cycles")
        matrix = file.array("matrix")
    assert result["converged"]
    assert result["bits"] >= 24
    assert result["relative_error"] < 2.0**-23
    assert result["swapped_pairs"] == 0
    assert result["highest"].startswith("34, 1, 33, 3, 2")
    assert 0.02 < result["one_step_error"] < 0.5
    assert (result["nodes"], result["links"], result["dangling"]) == (34, 156, 0)
    np.testing.assert_allclose(scores["refined"], scores["digital"], rtol=1e-6)
    assert scores["one_step"].sum() == pytest.approx(1.0)
    assert np.all(np.diff(scores["digital"]) <= 1e-15)
    assert cycles["relative_error"][-1] < 1e-3 * cycles["relative_error"][0]
    np.testing.assert_allclose(matrix.sum(axis=0), 0.15)


@pytest.mark.thorough
def test_at_the_wire_too(tmp_path):
    links = np.array([[1, 2], [2, 3], [3, 1], [3, 4], [1, 5]])
    path = tmp_path / "run.h5"
    run(PageRank(graph=links, directed=True, bits=9, cycles=2), "simulated", seed=2, output=path)
    with RunFile(path) as file:
        result, log = file.summary, " ".join(one.message for one in file.log())
    assert result["converged"]
    assert result["relative_error"] < 2.0**-8
    assert result["dangling"] == 2
    assert "2 of 5 nodes have no link out, and a walk goes on from there as it restarts: 4, 5" in log


@pytest.mark.thorough
def test_walks_may_restart_at_named_nodes(tmp_path):
    path = tmp_path / "run.h5"
    run(PageRank(graph="florentine", restart="Pazzi, Ginori", bits=12), "arrays", seed=1, output=path)
    with RunFile(path) as file:
        scores, restart = file.table("scores"), file.array("restart")
        assert {"Pazzi", "Ginori"} < set(file.summary["highest"].split(", ")[:6])  # of all, they are the last
    assert restart.tolist() == [0.5 if one in (5, 9) else 0.0 for one in range(15)]
    assert scores["refined"].sum() == pytest.approx(1.0, abs=1e-3)


@pytest.mark.thorough
def test_only_rows_of_the_run_s_own_tables_are_announced_and_a_square_list_is_questioned(tmp_path):
    events = []
    run(
        PageRank(graph=[[1.0, 2.0], [2.0, 3.0]], bits=9),
        "arrays",
        seed=1,
        output=tmp_path / "run.h5",
        observers=[events.append],
    )
    rows = [one for one in events if isinstance(one, Row)]
    assert len(rows) == 8
    assert all(one.table == "cycles" and "swapped" in one.values for one in rows)
    said = [one.text for one in events if isinstance(one, Message) and one.level == "WARNING"]
    assert any("read as an adjacency matrix of 2 nodes; if it is a list of links" in text for text in said)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"restart": "35"}, "has no node '35', at which walks were to restart"),
        ({"graph": "karatee"}, "there is no graph called 'karatee'"),
        ({"damping": 1.0}, "damping is 1.0; it must be a number from 0.01 to 0.999"),
    ],
)
def test_bad_input_is_refused_before_anything_is_done(values, words):
    with pytest.raises(InputError, match=words):
        PageRank(**values).check()
