"""The procedure: on arrays with all optimisers, at the wire with a tiny network, and what it refuses."""

import numpy as np
import pytest

from mho.errors import ChipMapError, ConvergenceError, InputError
from mho.extensions.applications import Train
from mho.extensions.applications.training.training_tables import NUMBERS, number
from mho.procedures.equations.held_matrix import HeldMatrix
from mho.running import run
from mho.runs import RunFile

SETTINGS = {"trust": 0.1, "damping": 1.0, "momentum": 0.5}
SMALL = {
    "data": "iris",
    "network": "4,5,3",
    "seeds": 3,
    "target": 0.3,
    "epochs": 4,
    "optimiser": "second-order",
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run with all optimisers, one and three cycles."""
    path = tmp_path_factory.mktemp("train") / "run.h5"
    run(Train(**SMALL | {"optimiser": "all"}), "arrays", seed=2, output=path)
    with RunFile(path) as file:
        names = ("training", "to_target", "inverses", "refreshes", "search", "matrices")
        yield {name: file.table(name) for name in names}, file.summary, file


@pytest.mark.thorough
def test_every_optimiser_is_trained_from_every_seed_to_the_last_epoch(whole):
    tables, _, _ = whole
    rows = tables["training"]
    assert sorted(set(rows["optimiser"])) == [*NUMBERS.values(), number(1), number(3)]
    for one in set(rows["optimiser"]):
        for seed in range(3):
            mine = (rows["optimiser"] == one) & (rows["seed"] == seed)
            assert rows["epoch"][mine].tolist() == (np.arange(17) / 4).tolist()
            losses = rows["validation_loss"][mine]
            assert losses[-1] < 0.6 * losses[0]


@pytest.mark.thorough
def test_all_optimisers_start_alike_and_the_chip_follows_float64(whole):
    tables, _, _ = whole
    rows = tables["training"]

    def losses(optimiser):
        return rows["validation_loss"][rows["optimiser"] == optimiser].reshape(3, 17)

    for optimiser in range(1, 3):
        np.testing.assert_array_equal(losses(optimiser)[:, 0], losses(0)[:, 0])
    exact = losses(NUMBERS["second-order"])
    one, three = (np.abs(losses(number(cycles)) - exact).max() for cycles in (1, 3))
    assert 0.0 < three < one < 0.3


@pytest.mark.thorough
def test_the_result_is_that_of_the_tables(whole):
    tables, result, _ = whole
    taken = tables["to_target"]
    for row in result["optimisers"]:
        code = (
            number(row["cycles"])
            if row["cycles"]
            else taken["optimiser"][0] * 0
            + {"SGD with momentum": 0, "Adam": 1, "second-order in float64": 2}[row["name"]]
        )
        epochs = taken["epochs"][taken["optimiser"] == code]
        assert row["epochs"]["of"] == 3
        assert row["epochs"]["reached"] == np.isfinite(epochs).sum()
        wanted = np.sort(np.nan_to_num(epochs, nan=np.inf))[1]
        assert row["epochs"]["median"] == (wanted if np.isfinite(wanted) else None)
    assert f"loss of {0.3:g}" in result["in_words"]
    assert result["matrices"] == len(tables["matrices"]["size"]) == len(tables["inverses"]["size"])
    assert result["pulses"] == tables["matrices"]["pulses"].sum()


@pytest.mark.thorough
def test_inverses_have_errors_of_a_few_bits_and_of_many_after_three_cycles(whole):
    tables, _, _ = whole
    rows = tables["inverses"]
    one, three = (np.median(rows["error"][rows["cycles"] == cycles]) for cycles in (1, 3))
    assert 2.0**-8 < one < 2.0**-3
    assert three < 0.1 * one
    assert (rows["worst"] < 1.0).all()
    assert (rows["worst"] > 0.0).all()
    assert set(rows["size"]) == {3, 4, 5}
    first = (rows["layer"] == 0) & (rows["of"] == 0)
    assert first.sum() == 2 * 3  # the data do not change: once a training
    assert rows["step"][first].tolist() == [0] * 6


@pytest.mark.thorough
def test_longer_intervals_of_refreshes_take_fewer_pulses(whole):
    tables, _, _ = whole
    rows = tables["refreshes"]
    assert sorted(set(rows["interval"])) == [1, 2, 4, 8, 16]
    short, long = (rows["matrices"][rows["interval"] == one] for one in (1, 16))
    assert np.nanmean(long) < np.nanmean(short)
    known = np.isfinite(rows["pulses"])
    assert (rows["pulses"][known] > 0).all()


@pytest.mark.thorough
def test_the_search_tells_of_all_settings(whole):
    tables, _, _ = whole
    rows = tables["search"]
    for code in range(3):
        assert (rows["optimiser"] == code).sum() == 27
    natural = rows["optimiser"] == 2
    assert np.isnan(rows["rate"][natural]).all()
    assert np.isfinite(rows["damping"][natural]).all()


@pytest.mark.thorough
def test_a_run_is_the_same_again(tmp_path):
    found = [
        run(
            Train(**SMALL | {"seeds": 1, "epochs": 2, "cycles": "1"}, **SETTINGS),
            "arrays",
            seed=3,
            output=tmp_path / name,
        )
        for name in ("one.h5", "two.h5")
    ]
    assert found[0].summary["in_words"] == found[1].summary["in_words"]
    assert found[0].summary["joules"] == found[1].summary["joules"]


@pytest.mark.thorough
def test_at_the_wire_the_chip_inverts_as_on_arrays(tmp_path):
    path = tmp_path / "wire.h5"
    tiny = SMALL | {"network": "4,3", "seeds": 1, "epochs": 1, "cycles": "1"}
    result = run(Train(**tiny, **SETTINGS), "simulated", seed=4, output=path).summary
    with RunFile(path) as file:
        rows = file.table("inverses")
    assert rows["size"].tolist() == [4, 3]
    assert (rows["error"] < 0.2).all()
    assert result["cells_failed"] == 0
    assert result["optimisers"][-1]["pulses"]["of"] == 1


@pytest.mark.thorough
def test_a_factor_that_the_chip_does_not_invert_is_inverted_in_float64_and_said(tmp_path, monkeypatch):
    def rails(self, rhs):
        raise ConvergenceError("the INV loop rails")

    monkeypatch.setattr(HeldMatrix, "invert", rails)
    path = tmp_path / "rails.h5"
    run(Train(**SMALL | {"seeds": 1, "epochs": 1, "cycles": "1"}, **SETTINGS), "arrays", seed=5, output=path)
    with RunFile(path) as file:
        row = file.summary["optimisers"][-1]
        losses = file.table("training")
        warned = [one for one in file.log() if "inverted in float64" in str(one)]
    assert row["not_settled"] == 4
    assert len(warned) == 4
    by_code = [losses["validation_loss"][losses["optimiser"] == code] for code in (2, 3)]
    np.testing.assert_allclose(*by_code)


def test_a_network_wider_than_the_chips_loops_is_refused_before_anything_is_programmed(tmp_path):
    path = tmp_path / "wide.h5"
    with pytest.raises(ChipMapError, match="largest factor of the network has 64 lines"):
        run(Train(data="digits", epochs=1, **SETTINGS), "simulated", output=path)
    assert not path.exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"network": "64,16,9"}, "does not fit digits, which has 64 features and 10 classes"),
        ({"network": "64,x,10"}, "whole numbers"),
        ({"network": "10"}, "does not fit"),
        ({"network": "64,600,10"}, "layers of 512"),
        ({"data": "irish"}, "did you mean 'iris'"),
        ({"batch": 5000}, "samples to train on"),
        ({"cycles": "0"}, "from 1 to 10"),
        ({"cycles": "1;3"}, "as 1 or 1,3"),
        ({"rate": 0.1}, "the rates of SGD and Adam differ"),
        ({"optimiser": "sgd", "damping": 1.0}, "a setting of second-order"),
        ({"optimiser": "adam", "momentum": 0.5}, "a setting of sgd, second-order"),
        ({"damping": 0.0}, "damping is 0.0; it must be a number from"),
        ({"damping": -1.0}, "damping is -1.0; it must be a number from"),
        ({"epochs": 0}, "epochs is 0"),
    ],
)
def test_bad_parameters_are_refused_with_what_to_do(given, said):
    with pytest.raises(InputError, match=said):
        Train(**given).check()
