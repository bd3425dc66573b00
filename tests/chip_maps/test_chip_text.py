"""Settings of write-verify in a chip map's text: only they change, and what cannot be changed by lines is said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho.chip_maps.chip import packaged_chip_maps, parse_chip_map, read_chip_text, with_write_verify
from mho.errors import ChipMapError

VALUES = {"set_slope": 3.2163e-5, "set_offset": 0.79653}
PLAIN = read_chip_text("reference")
SECTION = """
[write_verify]   # as measured in spring
set_slope = 40e-6     # S/V
gate_step = 0.05      # V
  set_offset=0.7

[cells.bears]
"""


@pytest.mark.parametrize(
    "name", [name for name in packaged_chip_maps() if "[write_verify]" not in read_chip_text(name)]
)
def test_a_map_without_settings_gets_a_section_and_is_the_same_otherwise(name):
    text = read_chip_text(name)
    changed = with_write_verify(text, VALUES, "from a run\nof two lines")
    before, after = parse_chip_map(text), parse_chip_map(changed)
    assert (after.write_verify.set_slope, after.write_verify.set_offset) == (3.216e-5, 0.7965)
    assert after.model_copy(update={"write_verify": before.write_verify}) == before
    assert changed.startswith(text.rstrip())
    assert "# from a run\n# of two lines\nset_slope = 3.216e-05\n" in changed


def test_settings_that_are_there_are_replaced_and_all_others_stay():
    text = PLAIN.replace("[cells.bears]", SECTION.lstrip(), 1)
    changed = with_write_verify(text, VALUES, "newly")
    settings = parse_chip_map(changed).write_verify
    assert (settings.set_slope, settings.set_offset, settings.gate_step) == (3.216e-5, 0.7965, 0.05)
    assert changed.count("set_slope") == changed.count("set_offset") == 1
    assert "# as measured in spring" in changed
    assert "gate_step = 0.05      # V" in changed
    assert with_write_verify(changed, VALUES, "newly").count("set_slope") == 1


@given(st.floats(1e-9, 1.0), st.floats(0.0, 20.0))
def test_any_allowed_value_is_taken_to_four_digits(slope, offset):
    settings = parse_chip_map(
        with_write_verify(PLAIN, {"set_slope": slope, "set_offset": offset})
    ).write_verify
    assert settings.set_slope == pytest.approx(slope, rel=5e-4)
    assert settings.set_offset == pytest.approx(offset, rel=5e-4)


def test_what_cannot_be_changed_line_by_line_is_said_with_what_to_write():
    inline = PLAIN.replace("[levels]", "write_verify = { set_slope = 4e-5 }\n\n[levels]", 1)
    with pytest.raises(ChipMapError, match=r"write by hand into \[write_verify\]: set_slope = 3\.216e-05"):
        with_write_verify(inline, VALUES)
    with pytest.raises(ChipMapError, match="set_slope"):
        with_write_verify(PLAIN, {"set_slope": -1.0})
    with pytest.raises(ChipMapError):
        with_write_verify("no map", VALUES)
