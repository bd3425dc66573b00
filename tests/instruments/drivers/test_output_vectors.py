"""Vectors for a DAQ's outputs, of whichever driver: all of them can be played, or none is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from mho.errors import InputError, LimitError
from mho.instruments.drivers.languages.output_vectors import checked_vectors

LOW, HIGH, COUNT = -10.0, 5.0, 4


def checked(volts: object) -> np.ndarray:
    return checked_vectors(volts, COUNT, LOW, HIGH, "DAQ", "output {}".format)


@given(arrays(float, st.tuples(st.integers(1, 9), st.integers(1, COUNT)), elements=st.floats(LOW, HIGH)))
def test_what_lies_within_is_played_as_it_is(volts):
    np.testing.assert_array_equal(checked(volts), volts)


@given(
    st.integers(1, 9),
    st.integers(1, COUNT),
    st.floats().filter(lambda volts: not LOW <= volts <= HIGH),
    st.data(),
)
def test_one_value_beyond_is_named_with_its_place(samples, outputs, volts, data):
    vectors = np.zeros((samples, outputs))
    sample, output = data.draw(st.integers(0, samples - 1)), data.draw(st.integers(0, outputs - 1))
    vectors[sample, output] = volts
    with pytest.raises(
        LimitError, match=rf"^output {output}: .* V \(sample {sample}\) is outside -10 V to 5 V"
    ):
        checked(vectors)


@given(array_shapes(max_dims=3, max_side=6).filter(lambda shape: len(shape) > 2 or shape[-1] > COUNT))
def test_another_shape_is_refused(shape):
    with pytest.raises(InputError, match="do not fit"):
        checked(np.zeros(shape))
