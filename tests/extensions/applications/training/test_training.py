"""Training: what batches see, when a target counts as reached, searches, data sets, and what all of it takes."""

import numpy as np
import pytest

from mho.errors import InputError
from mho.extensions.applications.training.data.datasets import Split, load_dataset, split
from mho.extensions.applications.training.network import initial_weights
from mho.extensions.applications.training.optimisers import Momentum
from mho.extensions.applications.training.training import (
    GRIDS,
    epochs_to,
    grid_of,
    quartiles,
    search,
    steps_in_epoch,
    train,
)
from mho.extensions.applications.training.training_result import fewer
from mho.extensions.applications.training.training_run import (
    KeptInverses,
    change,
    factor_operations,
    factor_sizes,
    step_operations,
    weights_in,
)


def blobs(count=60, seed=0):
    """Three well separated classes in the plane."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    x = rng.normal(size=(count, 2)) * 0.3 + np.array([[0.0, 2.0], [2.0, -1.0], [-2.0, -1.0]])[labels]
    return Split(x, labels, x[::3], labels[::3])


class Seen:
    """An optimiser that does nothing but look."""

    def __init__(self):
        self.batches = []

    def step(self, weights, x, labels):
        self.batches.append(x)
        return weights


def test_every_epoch_shows_each_sample_once():
    data, seen = blobs(), Seen()
    weights = initial_weights((2, 3), np.random.default_rng(0))
    passes = list(train(seen, weights, data, [np.random.default_rng(1)], epochs=2, batch=16))
    assert [one.epoch for one in passes] == [0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0]
    assert [len(batch) for batch in seen.batches] == [15] * 8
    for epoch in (seen.batches[:4], seen.batches[4:]):
        shown = np.concatenate(epoch)
        np.testing.assert_array_equal(np.sort(shown, axis=0), np.sort(data.x, axis=0))
    assert not np.array_equal(np.concatenate(seen.batches[:4]), np.concatenate(seen.batches[4:]))


def test_training_brings_separated_classes_apart():
    weights = initial_weights((2, 3), np.random.default_rng(0))
    *_, last = train(Momentum(1.0), weights, blobs(), [np.random.default_rng(1)], epochs=5, batch=20)
    assert last.validation_loss < 0.05
    assert last.accuracy == 1.0


@pytest.mark.parametrize(
    ("samples", "batch", "steps"), [(100, 30, 3), (100, 1000, 1), (99, 33, 3), (10, 1, 10)]
)
def test_an_epoch_has_as_many_steps_as_batches(samples, batch, steps):
    assert steps_in_epoch(samples, batch) == steps


def test_a_target_is_reached_when_the_loss_stays_there():
    epochs = np.array([0.0, 1.0, 2.0, 3.0])
    losses = np.array(
        [
            [2.0, 2.0, 2.0, 0.1, np.nan],
            [0.4, 0.4, 1.0, 0.1, 0.1],
            [0.6, 0.5, 0.6, 0.1, np.nan],
            [0.5, 0.1, 0.7, 0.1, 0.1],
        ]
    )
    np.testing.assert_array_equal(epochs_to(0.5, epochs, losses), [3.0, 1.0, np.inf, 0.0, 3.0])


def test_quartiles_of_five_are_the_second_third_and_fourth_also_where_some_never_came():
    np.testing.assert_array_equal(quartiles([3.0, np.inf, 1.0, np.inf, 2.0]), [2.0, 3.0, np.inf])


def test_optimisers_are_searched_over_as_many_settings_each():
    assert {kind: len(grid_of(kind, {})) for kind in GRIDS} == dict.fromkeys(GRIDS, 27)
    assert {one["damping"] for one in grid_of("second-order", {"damping": 0.7})} == {0.7}
    assert len(grid_of("second-order", {"damping": 0.7})) == 9


def test_a_search_puts_first_what_reaches_the_target_first():
    grid = [{"rate": rate, "momentum": 0.0} for rate in (1e-4, 1.0, 0.05)]
    seeds = np.random.SeedSequence(0).spawn(3)
    found = search("sgd", grid, blobs(), (2, 3), seeds, epochs=6, batch=20, target=0.1)
    assert found[0].settings["rate"] == 1.0
    assert found[0].epochs < 6.0
    assert found[-1].epochs == np.inf
    assert [one.epochs for one in found] == sorted(one.epochs for one in found)


def test_operations_of_a_step_are_those_of_its_products():
    # 3 inputs, 2 hidden, 2 outputs, 5 samples; products (m, k) (k, n) take 2 m k n.
    sizes, batch = (3, 2, 2), 5
    forward = 2 * batch * (2 * 4 + 2 * 3)
    backward = 2 * batch * (2 * 4 + 2 * 3) + 2 * batch * (2 * 2)
    assert weights_in(sizes) == 14
    assert step_operations("sgd", sizes, batch) == forward + backward + 4 * 14
    natural = 2 * 2 * 2 * 4 + 2 * 2 * 4 * 3 + 2 * 2 * 2 * 3 + 2 * 2 * 3 * 2
    assert step_operations("second-order", sizes, batch) == forward + backward + natural + 7 * 14
    factors = 2 * 5 * (3 * 3 + 2 * 2) + 2 * 5 * 2 * (2 * 2 + 2 * 2)
    assert factor_operations(sizes, batch) == forward + 2 * batch * 2 * (2 * 2) + factors
    assert factor_sizes((64, 16, 10)) == [64, 16, 16, 10]


def test_inverses_are_kept_until_a_matrix_has_moved():
    made = []

    def invert(number, matrix):
        made.append(number)
        return np.linalg.inv(matrix)

    keep = KeptInverses(invert, 0.1)
    one, other = np.eye(3), 2.0 * np.eye(3)
    keep([one, other])
    keep([1.05 * one, other])
    first, second = keep([1.2 * one, 2.1 * np.eye(3)])
    assert made == [0, 1, 0]
    np.testing.assert_allclose(first(np.ones(3)), 1 / 1.2)
    np.testing.assert_allclose(second(np.ones(3)), 0.5)  # what was held before
    assert change(one, 1.2 * one) == pytest.approx(0.2)


def test_shipped_data_are_as_published():
    digits, iris = load_dataset("digits"), load_dataset("iris")
    assert digits.x.shape == (1797, 64)
    assert (digits.x.min(), digits.x.max(), digits.classes) == (0.0, 16.0, 10)
    assert np.bincount(digits.labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert iris.x.shape == (150, 4)
    np.testing.assert_allclose(iris.x.mean(axis=0), [58.433333, 30.573333, 37.58, 11.993333])
    assert np.bincount(iris.labels).tolist() == [50, 50, 50]


@pytest.mark.parametrize(("name", "alike"), [("digits", True), ("iris", False)])
def test_samples_are_scaled_by_those_trained_on(name, alike):
    parts = split(load_dataset(name), 0.33, np.random.default_rng(0))
    np.testing.assert_allclose(parts.x.mean(axis=0), 0.0, atol=1e-12)
    if alike:
        assert np.mean(parts.x**2) == pytest.approx(1.0)
        assert parts.x.std(axis=0).max() > 1.5
    else:
        np.testing.assert_allclose(parts.x.std(axis=0), 1.0)
    assert abs(parts.validation_x.mean()) < 0.2
    assert abs(parts.validation_x.mean()) > 1e-6


GOOD = {"x": np.arange(60.0).reshape(30, 2), "y": np.arange(30) % 3}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"x": np.zeros((30, 2))}, "all samples of x are the same"),
        ({"x": np.ones(30)}, r"x has the shape \(30,\)"),
        ({"x": np.full((30, 2), "a")}, "the type <U1"),
        ({"x": np.where(np.eye(30, 2), np.nan, 1.0)}, "not finite"),
        ({"y": np.arange(29)}, r"y has the shape \(29,\)"),
        ({"y": np.arange(30.0)}, "the type float64"),
        ({"y": np.zeros(30, dtype=int)}, "1 different labels"),
        ({"x": np.ones((10, 2)) * np.arange(10)[:, None], "y": np.arange(10) % 2}, "has 10 samples"),
        ({"z": 1}, "holds z; give arrays x"),
    ],
)
def test_samples_that_cannot_be_trained_on_are_refused(changed, said, tmp_path):
    path = tmp_path / "mine.npz"
    np.savez(path, **(GOOD | changed if "z" not in changed else changed))
    with pytest.raises(InputError, match=said):
        load_dataset(path)


def test_samples_of_a_users_own_are_taken_with_labels_of_any_numbers(tmp_path):
    path = tmp_path / "mine.npz"
    np.savez(path, x=GOOD["x"], y=np.array([7, -2, 40])[GOOD["y"]])
    found = load_dataset(str(path))
    assert (found.name, found.classes, found.x.shape) == ("mine.npz", 3, (30, 2))
    assert sorted(set(found.labels.tolist())) == [0, 1, 2]
    assert found.target == pytest.approx(0.1 * np.log(3))


def test_files_that_are_none_are_named(tmp_path):
    broken = tmp_path / "broken.npz"
    broken.write_bytes(b"no archive")
    with pytest.raises(InputError, match=r"broken\.npz cannot be read"):
        load_dataset(broken)
    with pytest.raises(InputError, match="there is no file"):
        load_dataset(tmp_path / "absent.npz")
    with pytest.raises(InputError, match="did you mean 'digits'"):
        load_dataset("digit")
    with pytest.raises(InputError, match="as many as there are classes"):
        split(load_dataset("iris"), 0.01, np.random.default_rng(0))


def test_a_saving_is_over_starts_and_one_that_never_arrives_takes_more_than_the_limit() -> None:
    starts = {
        "sgd": [4.0, 4.0, 5.0, 4.0, 8.0],
        "adam": [4.0, np.inf, np.inf, 5.0, 5.0],
        "second_order": [2.0, 2.0, 3.5, 2.0, 2.0],
    }
    found = fewer(starts, 6.0)
    assert found["second_order_than_sgd"] == 0.5
    assert (found["second_order_than_sgd_low"], found["second_order_than_sgd_high"]) == (
        pytest.approx(0.3),
        0.75,
    )
    assert found["second_order_than_adam"] == pytest.approx(1.0 - 2.0 / 5.0)
    assert (found["second_order_than_adam_low"], found["second_order_than_adam_high"]) == (
        pytest.approx(1.0 - 3.5 / 6.0),
        1.0,
    )
    assert fewer(starts | {"adam": [4.0, np.inf, np.inf, np.inf, 5.0]}, 6.0).keys() == {
        f"second_order_than_sgd{end}" for end in ("", "_low", "_high")
    }
    assert fewer({name: one[:4] for name, one in starts.items()}, 6.0)["second_order_than_sgd_low"] is None


def test_a_saving_is_the_median_of_the_starts_and_lies_within_its_interval() -> None:
    starts = {"sgd": [2.0, 10.0, 10.0, 2.0, 4.0], "second_order": [1.0, 5.0, 1.0, 1.5, 3.0]}
    found = fewer(starts, 20.0)
    assert found["second_order_than_sgd"] == 0.5  # of the medians, 1.5 and 4, it would be 0.63
    assert (found["second_order_than_sgd_low"], found["second_order_than_sgd_high"]) == (0.25, 0.9)
    assert fewer(starts | {"sgd": [0.0] * 5}, 20.0) == {}  # none can be saved where SGD starts at its goal
