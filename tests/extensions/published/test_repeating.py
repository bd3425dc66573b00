"""The published experiments on the virtual bench: one run file with tables, verdicts and figures that can be drawn."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("mho.extensions.applications")  # on which some of the experiments stand
pytest.importorskip("mho.extensions.projection")

from mho.analysis.figures import draw
from mho.errors import BenchError, InputError, RunFileError
from mho.extensions.published import EXPERIMENTS, published_numbers, repeat_published
from mho.extensions.published.experiments import best_channel
from mho.runs import RunFile, Status, Verdict, verify

QUICK = ("4x4-12bit", "settling", "throughput")


@pytest.fixture(scope="module")
def repeated(tmp_path_factory):
    return repeat_published(QUICK, chips=3, seed=2, output=tmp_path_factory.mktemp("published") / "p.h5")


def test_every_experiment_is_published_and_every_number_says_how_it_was_read():
    assert list(EXPERIMENTS) == list(published_numbers())
    for experiment in published_numbers().values():
        assert experiment.title
        for number in experiment.numbers.values():
            assert number.how in ("printed", "read off", "open")
            assert (number.values.size == 0) == (number.how == "open")
            assert (number.reading > 0.0) == (number.how == "read off")
            assert np.all(np.isfinite(number.values))


def test_the_numbers_are_those_of_the_paper():
    numbers = published_numbers()
    np.testing.assert_array_equal(numbers["4x4-12bit"]["errors"].values, [0.18, 0.034, 0.0076])
    assert numbers["4x4-24bit"]["errors"].values[[0, 6, 9]].tolist() == [0.133, 8.5e-7, 1.45e-7]
    assert numbers["4x4-12bit"]["outputs"].one == 4 * numbers["4x4-12bit"]["products"].one == 1152


@pytest.mark.thorough
def test_numbers_stand_beside_the_published_ones(repeated):
    rows = {(row.quantity, row.number): row for row in repeated.outcomes["4x4-12bit"].rows}
    first = rows["relative error", 1]
    assert first.published == 0.18
    assert first.low <= first.median <= first.high
    assert first.deviation == first.median / 0.18
    assert rows["wrong outputs", 0].median == 0.0
    model = repeated.outcomes["throughput"]
    assert [row.published for row in model.rows] == [4.0e7, 2.15e8, 1.3e9, 8.7e9, 6.3e10, 4.8e11]
    assert all(abs(row.deviation - 1.0) < 0.05 for row in model.rows)
    assert "mho projection" in model.open_[0]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("name", "published"), [("mimo-16x4", [0.0]), ("mimo-128x8", [0.0469, 0.0281, 0.0078])]
)
def test_bits_are_detected_as_by_float32(name, published, tmp_path):
    found = repeat_published((name,), chips=2, output=tmp_path / "m.h5").outcomes[name]
    assert [row.published for row in found.rows] == published
    single = found.facts["float32"]
    assert found.facts["bits_a_point"] == 6400
    for row, exact in zip(found.rows, single, strict=True):
        assert row.low <= row.median <= row.high
        assert row.median <= 1.5 * exact + 0.01
    assert [row.median for row in found.rows] == sorted((row.median for row in found.rows), reverse=True)


@pytest.mark.thorough
def test_the_loop_settles_as_published(repeated):
    rows = {row.quantity: row for row in repeated.outcomes["settling"].rows}
    assert 100e-9 < rows["time to within 1 %"].median < 170e-9
    assert 0.1 < rows["overshoot, least"].median < 0.3


@pytest.mark.thorough
def test_the_run_file_holds_all_of_it_and_its_figures_are_drawn(repeated, tmp_path):
    assert verify(repeated.path).verdict is Verdict.SOUND
    with RunFile(repeated.path) as run:
        assert run.status is Status.FINISHED
        assert run.table("curves_12bit")["error"].shape == (9,)
        assert run.table("rejections")["p"] == pytest.approx(repeated.outcomes["4x4-12bit"].rejection.p)
        assert len(run.table("deviations")["median"]) == sum(
            len(one.rows) for one in repeated.outcomes.values()
        )
        assert run.summary["experiments"]["4x4-12bit"]["wrong_integers"] == 0
        every = next(figure for figure in run.figures if figure.name == "chips_12bit")
        assert [(one.x, one.y) for one in every.points] == [((1.0, 2.0, 3.0), (0.18, 0.034, 0.0076))]
        for figure in run.figures:
            draw(repeated.path, figure=figure.name).savefig(tmp_path / f"{figure.name}.png")
            assert (tmp_path / f"{figure.name}.png").stat().st_size > 5000


@pytest.mark.thorough
def test_the_same_seed_gives_the_same_chips_whatever_else_is_repeated(repeated, tmp_path):
    again = repeat_published(("4x4-12bit",), chips=3, seed=2, output=tmp_path / "again.h5")
    assert again.outcomes["4x4-12bit"].rows == repeated.outcomes["4x4-12bit"].rows
    other = repeat_published(("4x4-12bit",), chips=3, seed=3, output=tmp_path / "other.h5")
    assert other.outcomes["4x4-12bit"].rows != repeated.outcomes["4x4-12bit"].rows


def test_of_many_channels_the_best_conditioned_one_is_taken():
    def condition(count: int) -> float:
        return float(np.linalg.cond(best_channel(16, 4, count, np.random.default_rng(3))))

    some = [condition(count) for count in (1, 10, 1000)]
    assert some == sorted(some, reverse=True)
    assert some[-1] < 1.6 < some[0]  # of orthogonal columns it is 1
    many = best_channel(400, 100, 1, np.random.default_rng(4))
    assert np.mean(np.abs(many) ** 2) == pytest.approx(1.0, rel=0.02)
    assert abs(np.mean(many**2)) < 0.02  # as large in both parts, which have nothing to do with one another


@pytest.mark.thorough
def test_a_complex_matrix_fills_the_published_array(tmp_path):
    found = repeat_published(("complex-4x4",), chips=1, output=tmp_path / "c.h5").outcomes["complex-4x4"]
    errors = found.tables["curves_complex4"]["error"]
    assert np.all(errors[1:7] < 0.5 * errors[:6])
    assert 3e-8 < errors[-1] < 3e-7, "24 bits, cut off, are its floor"
    assert found.facts["wrong_integers"] == 0
    assert [row.published for row in found.rows] == [None] * 9 + [9e-8]


def test_a_bench_that_refuses_an_experiment_says_so_and_the_others_go_on(tmp_path):
    found = repeat_published(
        ("complex-4x4", "throughput"), bench=small(tmp_path), chips=1, output=tmp_path / "r.h5"
    )
    assert "1 of 1 chips refused it: no room for a signed 8 x 8" in found.outcomes["complex-4x4"].open_[1]
    assert found.outcomes["throughput"].rows


def small(folder) -> str:
    """Return a bench file whose chip makes bias columns of cells."""
    from importlib import resources

    chip = (resources.files("mho.chip_maps") / "maps/zuo2025.toml").read_text("utf-8")
    bench = (resources.files("mho.instruments") / "benches/zuo2025.toml").read_text("utf-8")
    (folder / "chip.toml").write_text(
        "\n".join(one for one in chip.splitlines() if not one.startswith("bias ="))
    )
    (folder / "bench.toml").write_text(bench.replace('chip = "zuo2025"', 'chip = "chip.toml"'))
    return str(folder / "bench.toml")


def test_real_instruments_are_replaced_and_never_opened(tmp_path):
    from importlib import resources

    text = (resources.files("mho.instruments") / "benches/zuo2025.toml").read_text("utf-8")
    start, end = text.index("[simulation]"), text.index("[instruments.smu]")
    path = tmp_path / "real.toml"
    path.write_text(text[:start] + text[end:], encoding="utf-8")
    with pytest.raises(InputError, match="has real instruments, and chips are drawn here: leave out --wire"):
        repeat_published(("4x4-12bit",), bench=str(path), chips=1, wire=True, output=tmp_path / "w.h5")
    found = repeat_published(("4x4-12bit",), bench=str(path), chips=1, output=tmp_path / "r.h5")
    assert len(found.outcomes["4x4-12bit"].rows) == 7


@pytest.mark.thorough
@pytest.mark.parametrize("wire", [False, True])
def test_amplifiers_that_did_not_give_what_they_were_asked_for_are_told(wire, tmp_path):
    from importlib import resources

    text = (resources.files("mho.instruments") / "benches/zuo2025.toml").read_text("utf-8")
    path = tmp_path / "weak.toml"
    path.write_text(text.replace("[simulation]", "[simulation]\namplifier_current = 1e-6"), encoding="utf-8")
    found = repeat_published(
        ("4x4-12bit", "throughput"), bench=str(path), chips=2, wire=wire, output=tmp_path / "w.h5"
    )
    told = "amplifiers did not give what they were asked for on 2 of 2 chips: "
    assert [one for one in found.outcomes["4x4-12bit"].open_ if one.startswith(told)]
    assert not [one for one in found.outcomes["throughput"].open_ if one.startswith(told)]


@pytest.mark.thorough
def test_an_interrupt_leaves_a_readable_file_of_what_was_done(tmp_path):
    def stop(stage: str, done: int, total: int) -> None:
        if stage == "4x4-12bit":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        repeat_published(("levels", "4x4-12bit"), chips=1, output=tmp_path / "s.h5", progress=stop)
    assert verify(tmp_path / "s.h5").verdict is Verdict.SOUND
    with RunFile(tmp_path / "s.h5") as run:
        assert run.status is Status.ABORTED
        assert len(run.table("level_cells")["level"]) == 400
        assert "stopped: 1 of 2 experiments are here" in [entry.message for entry in run.log()]


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"names": ("4x4-12bits",)}, InputError, "unknown experiment '4x4-12bits': did you mean '4x4-12bit'"),
        ({"chips": 0}, InputError, "chips is 0; give a number from 1 to 10000"),
        ({"chips": 10_001}, InputError, "chips is 10001"),
        ({"seed": -1}, InputError, "seed is -1"),
        ({"bench": "zuo2024"}, BenchError, "zuo2025"),
        (
            {"bench": "stanford"},
            InputError,
            "cells of chip 'stanford' have 4 levels; .* are of 8: give a bench such",
        ),
        (
            {"bench": "arrays", "wire": True},
            InputError,
            "bench 'arrays' has no instruments, so there is no wire: leave out --wire",
        ),
        ({"preset": "pkü"}, BenchError, "unknown cell preset 'pkü'"),
        ({"output": "taken.h5"}, RunFileError, "taken.h5"),
    ],
)
def test_what_cannot_be_is_refused_before_a_file_exists(given, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken.h5").write_bytes(b"")
    with pytest.raises(error, match=message):
        repeat_published(**given)
    assert [one.name for one in tmp_path.rglob("*.h5")] == ["taken.h5"]


@pytest.mark.thorough
def test_a_chip_whose_loop_rails_gives_no_curve_and_is_counted(tmp_path, monkeypatch):
    from mho.errors import ConvergenceError
    from mho.extensions.published import curves

    refine, railing = curves.refine_as_published, [True, False, True, True, True]

    def refined(*words, **how):
        if railing.pop(0):
            raise ConvergenceError("the INV loop rails")
        return refine(*words, **how)

    monkeypatch.setattr(curves, "refine_as_published", refined)
    found = repeat_published(("4x4-12bit",), chips=3, output=tmp_path / "r.h5").outcomes["4x4-12bit"]
    assert found.rejection.chips == 1
    assert found.open_ == ("2 of 3 chips gave no curve: the INV loop rails",)
    none = repeat_published(("4x4-12bit",), chips=2, output=tmp_path / "n.h5").outcomes["4x4-12bit"]
    assert none.rows == ()
    assert none.open_ == ("2 of 2 chips gave no curve: the INV loop rails",)
