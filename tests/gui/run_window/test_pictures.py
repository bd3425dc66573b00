"""Maps as pictures: the bytes a screen draws and what a cell reads."""

import numpy as np
import pytest
import run_samples
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from mho.gui.pictures import NO_CELL, RunPicture, first_choice, picture_names, read_picture
from mho.runs import RunFile

values = arrays(
    np.float64,
    array_shapes(min_dims=2, max_dims=2, max_side=6),
    elements=st.one_of(st.just(np.nan), st.floats(-1e3, 1e3)),
)


def picture(values, signed=False):
    rows, columns = values.shape
    return RunPicture("map", values, "µS", np.arange(rows), np.arange(columns), signed)


@example(np.array([[-2.3e-308]]), True)
@given(values, st.booleans())
def test_a_pixel_is_its_value_within_a_step_of_the_scale(image, signed):
    shown = picture(image, signed)
    low, high = shown.limits
    pixels = shown.pixels()
    known = np.isfinite(image)

    assert low < high
    np.testing.assert_array_equal(pixels == NO_CELL, ~known)
    clipped = np.clip(image[known], low, high)
    back = low + pixels[known] / (NO_CELL - 1) * (high - low)
    np.testing.assert_allclose(back, clipped, atol=(high - low) / (NO_CELL - 1))


@given(values)
def test_zero_is_in_the_middle_of_a_signed_scale(image):
    low, high = picture(image, signed=True).limits
    assert low == -high


def test_one_lost_cell_does_not_fade_the_others():
    errors = np.random.default_rng(0).normal(0.0, 0.5, (64, 64))
    errors[3, 4] = -35.0
    assert picture(errors, signed=True).limits[1] < 3.0


@pytest.mark.parametrize(("row", "column"), [(-1, 0), (0, -1), (2, 0), (0, 3)])
def test_outside_the_image_there_is_nothing(row, column):
    assert picture(np.zeros((2, 3))).describe(row, column) == ""


def test_errors_are_offered_where_they_can_be_taken(solved, tmp_path):
    with RunFile(solved) as run:
        assert first_choice(run) == "multiply_conductance"
        assert {"multiply_error", "invert_positive_error"} < set(picture_names(run))
        assert len(picture_names(run)) == 8
        assert not read_picture(run, "multiply_pulses").unit
    with RunFile(run_samples.other_run(tmp_path / "sweep.h5")) as run:
        assert picture_names(run) == ("heat",)
        assert first_choice(run) == "heat"
    with RunFile(run_samples.empty_run(tmp_path / "empty.h5")) as run:
        assert picture_names(run) == ()
        assert first_choice(run) == ""
