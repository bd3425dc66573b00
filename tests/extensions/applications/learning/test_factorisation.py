"""Factorisation of a picture on the bench: as good as in float64, at the wire too, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from mho.errors import InputError
from mho.extensions.applications import Factorisation
from mho.running import run
from mho.runs import RunFile

SMALL = np.random.default_rng(3).random((12, 3)) @ np.random.default_rng(4).random((3, 10))


def found(tmp_path, bench="arrays", **values):
    path = tmp_path / "run.h5"
    run(Factorisation(**values), bench, seed=1, output=path)
    return RunFile(path)


@pytest.mark.thorough
def test_the_chip_ends_where_float64_does(tmp_path):
    with found(tmp_path, ranks="3, 6", iterations=8) as file:
        result, rows, ranks = file.summary, file.table("iterations"), file.table("ranks")
        left, right = file.array("left"), file.array("right")
        picture, product = file.map("picture"), file.map("rank_6_chip")
    assert result["worst_ratio"] == pytest.approx(1.0, abs=0.05)
    assert result["matrices"] == 2 * 2 * 8
    assert rows["rank"].tolist() == [3] * 8 + [6] * 8
    for rank in (3, 6):
        errors = rows["error"][rows["rank"] == rank]
        assert errors[-1] < 0.9 * errors[0]
    assert np.all(ranks["error"] >= ranks["least_error"])
    assert (left >= 0).all()
    assert (right >= 0).all()
    np.testing.assert_allclose(product, left @ right, rtol=1e-12)
    off = np.linalg.norm(picture - left @ right) / np.linalg.norm(picture)
    assert result["error"] == pytest.approx(off, rel=1e-12)
    assert result["compression"] == pytest.approx(64 * 64 / (6 * 128))


@pytest.mark.thorough
@pytest.mark.parametrize("method", ["admm", "projected"])
def test_at_the_wire_too(tmp_path, method):
    with found(
        tmp_path, "simulated", picture=SMALL, ranks="2", iterations=1, solves=1, method=method
    ) as file:
        result = file.summary
    assert result["error"] < 0.3
    assert abs(result["error"] - result["digital_error"]) < 0.05
    assert result["inversions"] >= 22


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"picture": SMALL, "ranks": "4"},
            "rank 4 is above that of the picture, which is 3 of 12 x 10 pixels",
        ),
        ({"ranks": "65"}, "rank 65 is above that of the picture, which is 63"),
        ({"ranks": "4, x"}, "give whole numbers from 1"),
        ({"ranks": "0"}, "give whole numbers from 1"),
        ({"ranks": ""}, "give whole numbers from 1"),
        ({"ranks": "1,2,3,4,5,6,7,8,9"}, "9 ranks are given; 8 is the most"),
        ({"picture": -SMALL}, r"entry \[0, 0\], counted from 0, is -"),
    ],
)
def test_bad_input_is_refused_before_anything_is_done(values, words):
    with pytest.raises(InputError, match=words):
        Factorisation(**values).check()
