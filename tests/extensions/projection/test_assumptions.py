"""Assumptions from presets, files and the command line: what they become, and how wrong ones are answered."""

from __future__ import annotations

from pathlib import Path

import pytest

from mho.errors import InputError
from mho.extensions.projection import PRESETS, PUBLISHED, parsed, preset, project


def test_every_assumption_has_a_source_a_meaning_and_its_value_within_its_range() -> None:
    for one in (PRESETS[name] for name in sorted(PRESETS)):
        for assumption in one.values():
            assert assumption.source, assumption.name
            assert assumption.meaning, assumption.name
            assert assumption.low <= assumption.value <= assumption.high


def test_a_file_and_a_typed_value_take_the_place_of_the_presets(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('bits = 12\n[inv_time]\nvalue = 80e-9\nlow = 70e-9\nhigh = 90e-9\nsource = "our scope"\n')
    found = PUBLISHED.with_file(file).over(parsed(["mvm_time=30e-9"]), "--set")
    assert found.parameters.bits == 12
    assert (found["inv_time"].value, found["inv_time"].low, found["inv_time"].high) == (80e-9, 70e-9, 90e-9)
    assert found["inv_time"].source == "our scope"
    assert found["bits"].source == "mine.toml"
    assert found["mvm_time"].source == "--set"
    assert found["conversion_time"] == PUBLISHED["conversion_time"]


def test_a_set_of_assumptions_is_a_file_that_is_read_back_the_same(tmp_path: Path) -> None:
    file = tmp_path / "board.toml"
    file.write_text(PRESETS["board"].text)
    assert PUBLISHED.with_file(file).each == PRESETS["board"].each


def test_a_value_beyond_the_range_widens_it() -> None:
    assert PUBLISHED.over({"inv_time": 1e-9}, "x")["inv_time"].low == 1e-9


WRONG = [
    ("inv_tme = 1e-9", "no assumption is called 'inv_tme'; did you mean 'inv_time'?"),
    ("inv_time = -1.0", "assumption inv_time: value -1 is out of range; give 1e-12 to 1 s"),
    ("inv_time = 'fast'", "assumption inv_time: value is 'fast'; give a finite number"),
    ("inv_time = nan", "assumption inv_time: value is nan; give a finite number"),
    ("bits = 12.5", "assumption bits: value 12.5 is no whole number, and it counts something"),
    ("inv_time = true", "assumption inv_time: value is True; give a finite number"),
    ("[inv_time]\nvlaue = 1", "assumption inv_time: unknown key 'vlaue'; write value, low, high, source"),
    ("[inv_time]\nvalue = 1e-7\nlow = 2e-7", "assumption inv_time: value 1e-07 lies outside its own range"),
    ("[inv_time]\nsource = 3", "assumption inv_time: source is 3; write it as text"),
    ("inv_time = ", "is not valid TOML"),
]


@pytest.mark.parametrize(("text", "answer"), WRONG)
def test_a_wrong_file_is_answered_with_what_is_wrong_and_its_name(
    tmp_path: Path, text: str, answer: str
) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(text)
    with pytest.raises(InputError) as refused:
        PUBLISHED.with_file(file)
    assert answer in str(refused.value)
    assert "wrong.toml" in str(refused.value)


def test_a_file_that_is_not_there_or_is_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.toml cannot be read: No such file"):
        PUBLISHED.with_file(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"bytes\.toml cannot be read"):
        PUBLISHED.with_file(tmp_path / "bytes.toml")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("inv_time", "write NAME=VALUE"),
        ("=3", "write NAME=VALUE"),
        ("inv_time=", "write NAME=VALUE"),
        ("inv_time=20ns", "'20ns' is no number"),
    ],
)
def test_a_text_that_sets_nothing_is_answered(text: str, answer: str) -> None:
    with pytest.raises(InputError, match=answer):
        parsed([text])


def test_an_unknown_preset_is_answered_with_the_nearest_or_with_all() -> None:
    with pytest.raises(InputError, match="did you mean 'published'"):
        preset("publishd")
    with pytest.raises(InputError, match="there are published, fast, board, bench"):
        preset("xyz")


FREE = (
    "amplifier_power",
    "conversion_energy",
    "adding_energy",
    "mean_conductance",
    "pulse_energy",
    "conversion_time",
)


@pytest.mark.thorough
@pytest.mark.parametrize("end", ["least", "most"])
def test_every_assumption_at_the_end_of_what_is_allowed_is_projected(end: str) -> None:
    for name in PUBLISHED:
        value = getattr(PUBLISHED[name], end)
        if value < 1e30:
            assert (
                project(PUBLISHED.over({name: value}, "test"), [32], draws=10).result["solve_energy"] > 0.0
            ), name
    free = {name: PUBLISHED[name].least for name in FREE}
    assert project(PUBLISHED.over(free, "test"), [32], draws=10).result["solve_energy"] > 0.0


@pytest.mark.parametrize("size", [0, 1, -4, 1 << 25])
def test_sizes_that_cannot_be_counted_are_refused(size: int) -> None:
    with pytest.raises(InputError, match=f"size {size}: give a whole number of unknowns"):
        project(PUBLISHED, [size], draws=10)


@pytest.mark.parametrize("draws", [0, 9, 100_001])
def test_draws_that_make_no_band_are_refused(draws: int) -> None:
    with pytest.raises(InputError, match=f"--draws {draws}: give 10 to 100000"):
        project(PUBLISHED, [32], draws=draws)


@pytest.mark.parametrize("seed", [-1, 1 << 63])
def test_seeds_that_no_generator_or_file_takes_are_refused(seed: int) -> None:
    with pytest.raises(InputError, match=f"--seed {seed}: give a whole number from 0 to"):
        project(PUBLISHED, [32], draws=10, seed=seed)
