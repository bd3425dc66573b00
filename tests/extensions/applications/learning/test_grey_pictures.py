"""Pictures from files and arrays: what is read, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from mho.errors import InputError
from mho.extensions.applications.learning.data.make_picture import spheres
from mho.extensions.applications.learning.factorisation import load_picture, sample_pictures


def test_the_sample_is_what_its_script_makes():
    picture = load_picture("spheres")
    assert sample_pictures() == ["spheres"]
    assert picture.shape == (64, 64)
    assert picture.max() == 1.0
    np.testing.assert_allclose(picture, spheres() / spheres().max(), atol=1.01 / 255)
    assert np.linalg.matrix_rank(picture) == 63


def test_grey_and_coloured_images_are_read(tmp_path):
    grey = np.array([[0, 128, 64], [255, 10, 20]], dtype=np.uint8)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(load_picture(tmp_path / "grey.png"), grey / 255)
    colours = np.zeros((2, 2, 3), dtype=np.uint8)
    colours[0, 0, 1] = colours[1, 1, 0] = 200
    Image.fromarray(colours).save(tmp_path / "colours.png")
    np.testing.assert_allclose(load_picture(tmp_path / "colours.png"), [[1.0, 0.0], [0.0, 0.299 / 0.587]])
    np.save(tmp_path / "numbers.npy", 4.0 * grey)
    np.testing.assert_array_equal(load_picture(tmp_path / "numbers.npy"), grey / 255)


def test_what_is_no_picture_is_refused(tmp_path):
    broken = tmp_path / "broken.png"
    Image.fromarray(spheres()).save(broken)
    broken.write_bytes(broken.read_bytes()[:600])
    words = tmp_path / "words.png"
    words.write_text("no picture")
    Image.fromarray(np.zeros((2, 600), dtype=np.uint8)).save(tmp_path / "wide.png")
    for source, said in (
        (broken, "cannot be read"),
        (words, "is no image that can be read"),
        (tmp_path / "absent.png", "does not exist"),
        (tmp_path / "wide.png", "has 2 x 600 pixels; give at most 512 a side"),
        ("sphere", "there is no picture called 'sphere'; there are spheres"),
        ([[1.0, 0.5], [-0.25, 1.0]], "entry [1, 0], counted from 0, is -0.25"),
        ([[1.0, np.nan], [0.25, 1.0]], "every value must be finite"),
        ([[0.0, 0.0], [0.0, 0.0]], "is all black"),
        ([[1j, 0.0], [0.0, 0.0]], "is complex"),
        ([[1.0, 2.0]], "has 1 x 2 pixels"),
    ):
        with pytest.raises(InputError) as error:
            load_picture(source)
        assert said in str(error.value)
