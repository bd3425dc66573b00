"""Which settings are searched, and that none beyond a field's bounds or a bench's limits is ever proposed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.errors import InputError, LimitError
from mho.extensions.optimise.search_space import HELD, search_space, watched
from mho.procedures import find_strategy

ABOUT = WriteVerifySettings()
HIGHEST = 3.1  # V, of a RESET here; the settings' own is 3


def check(one: WriteVerifySettings) -> None:
    if max(one.reset_full, *one.reset_fine) > HIGHEST:
        raise LimitError("too high")


SPACE = search_space(ABOUT, ABOUT.model_dump().keys(), check)


@given(st.lists(st.floats(0.0, 1.0), min_size=len(SPACE.dimensions), max_size=len(SPACE.dimensions)))
@settings(max_examples=50, deadline=None)
def test_every_point_is_settings_that_fields_and_bench_allow(point):
    made = SPACE.settings(np.array(point))
    check(made)
    assert WriteVerifySettings(**dict(made)) == made
    assert all(getattr(made, name) == getattr(ABOUT, name) for name in HELD)


def test_the_start_is_the_settings_themselves():
    made = SPACE.settings(SPACE.start)
    for one in SPACE.dimensions:
        assert getattr(made, one.name) == pytest.approx(getattr(ABOUT, one.name), rel=1e-3)


def test_an_end_lies_at_the_limit_and_no_nearer():
    (one,) = (d for d in SPACE.dimensions if d.name == "reset_full")
    assert one.high == pytest.approx(HIGHEST, abs=1e-3)  # four digits are proposed
    assert one.low == pytest.approx(2.5)


def test_only_what_the_strategy_reads_is_searched():
    seen: set[str] = set()
    made = watched(ABOUT, seen)
    state = find_strategy("ispp").towards(20e-6, 18e-6, 22e-6, made)
    state.next_pulse(0.4e-6), state.next_pulse(0.4e-6)
    assert {"reset_full", "ramp_start", "inner"} <= seen
    names = {one.name for one in search_space(ABOUT, seen, check).dimensions}
    assert "ramp_start" in names
    assert not names & {"gate_step", "coarse_share", "response_gates", *HELD}


def test_a_response_is_shifted_as_a_whole():
    about = ABOUT.model_copy(update={"response_gates": (1.0, 2.0, 3.0), "response_levels": (0.0, 1e-5, 3e-5)})
    space = search_space(about, {"response_gates", "response_levels"}, check)
    assert [one.name for one in space.dimensions] == ["response_gates"]
    shifts = np.subtract(space.settings(np.array([1.0])).response_gates, about.response_gates)
    assert np.allclose(shifts, 0.15)


def test_named_settings_are_searched_between_the_bounds_given():
    space = search_space(ABOUT, (), check, {"verify_delay": (0.0, 1e-3), "inner": None})
    assert {(one.name, one.low, one.high) for one in space.dimensions} >= {("verify_delay", 0.0, 1e-3)}


@pytest.mark.parametrize(
    ("vary", "words"),
    [
        ({"innr": None}, "did you mean 'inner'"),
        ({"strategy": None}, "no number"),
        ({"inner": (0.9, 0.5)}, "ascend"),
        ({"inner": (0.5, 1.5)}, "within"),
    ],
)
def test_what_cannot_be_searched_is_named(vary, words):
    with pytest.raises(InputError, match=words):
        search_space(ABOUT, (), check, vary)


def test_settings_beyond_the_limits_are_refused_at_once():
    with pytest.raises(LimitError):
        search_space(ABOUT.model_copy(update={"reset_full": 3.2}), {"inner"}, check)
