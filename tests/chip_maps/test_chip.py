"""A chip map is read, checked, and answers with the key and the line of what is wrong with it."""

from __future__ import annotations

import pytest

from mho.chip_maps.chip import (
    MOST_CELLS,
    MOST_LINES,
    chip_hash,
    load_chip_map,
    packaged_chip_maps,
    parse_chip_map,
    read_chip_text,
)
from mho.errors import ChipMapError
from mho.instruments.bench_file import chip_requirements as chip_text

TEXT = read_chip_text("reference")


def line_of(text: str, fragment: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if fragment in line)


def test_the_packaged_chips_are_whole():
    assert set(packaged_chip_maps()) >= {"integrated64", "reference", "zuo2025"}
    for name in packaged_chip_maps():
        chip = load_chip_map(name)
        assert chip.name == name
        assert chip.arrays_for("multiply")
        assert bool(chip.arrays_for("invert")) == (name != "device")
        assert chip.level_scale().bits == (2 if name == "stanford" else 3)


def test_arrays_are_found_by_name_and_purpose():
    chip = load_chip_map("reference")
    assert chip.array("multiply").rows == 1024
    assert [a.name for a in chip.arrays_for("invert")] == ["invert_positive", "invert_negative"]
    with pytest.raises(
        ChipMapError, match="no array 'invert'; it has invert_positive, invert_negative, multiply"
    ):
        chip.array("invert")


@pytest.mark.parametrize(
    ("old", "new", "key", "message"),
    [
        ("tolerance = ", "tolerence = ", "levels.tolerence", "unknown key; did you mean 'tolerance'?"),
        ("spread = 0.65e-6", "", "levels.spread", "this key is missing"),
        ("spread = 0.65e-6", "spread = -1.0", "levels.spread", "greater than 0, not -1.0"),
        ("rows = 1024", 'rows = "many"', "arrays.2.rows", "valid integer"),
        ("rows = 1024", "rows = 4097", "arrays.2.rows", "less than or equal to 4096, not 4097"),
        ("rows = 1024", "rows = 0", "arrays.2.rows", "greater than or equal to 1, not 0"),
        ('name = "multiply"', 'name = "Multiply!"', "arrays.2.name", "match pattern"),
        ('purpose = "multiply"', 'purpose = "add"', "arrays.2.purpose", "'invert' or 'multiply', not 'add'"),
        ("tolerance = 1.2e-6", "tolerance = 2.6e-6", "levels", "windows of neighbouring levels overlap"),
        ("zero_limit = 0.6e-6", "zero_limit = 4e-6", "levels", "reaches into the window of level 1"),
        ("20e-6, 25e-6", "20e-6, 27e-6", "levels", "level 5 is 2.7e-05 S, but 5 steps of 5e-06 S are 2.5e-05 S"),
        ("rows = 1024", "rows = 1024\nbad_cells = [[1024, 0]]", "arrays.2", r"bad cell [1024, 0] lies outside"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_key_and_line(old, new, key, message):
    assert old in TEXT
    text = TEXT.replace(old, new)
    with pytest.raises(ChipMapError) as refused:
        parse_chip_map(text, "my-chip.toml")
    answer = str(refused.value)
    assert answer.startswith(f"my-chip.toml: {key} (line ")
    assert message in answer
    assert "\n" not in answer
    assert len(answer) < 200
    line = int(answer.split("(line ")[1].split(")")[0])
    wanted = new.split("\n")[0] if new and "." in key and "bad_cells" not in new else None
    if wanted and key not in ("levels", "arrays.2"):
        assert line == line_of(text, wanted)


def test_a_wrong_table_is_answered_with_the_line_of_its_header():
    text = TEXT.replace("rows = 1024", "rows = 1024\nbad_cells = [[0, 5000]]")
    with pytest.raises(ChipMapError, match=r"arrays\.2 \(line (\d+)\)") as refused:
        parse_chip_map(text)
    headers = [n for n, line in enumerate(text.splitlines(), 1) if line == "[[arrays]]"]
    assert f"(line {headers[2]})" in str(refused.value)


def test_two_arrays_of_one_name_are_refused():
    with pytest.raises(ChipMapError, match="two arrays have the same name"):
        parse_chip_map(TEXT.replace("invert_negative", "invert_positive"))


def test_more_cells_than_a_computer_holds_are_refused_as_on_the_bench():
    size = "rows = 4096\ncolumns = 4096"
    large = "".join(
        f'\n[[arrays]]\nname = "more{n}"\npurpose = "multiply"\n{size}\nwire_resistance = 1.0\n'
        for n in range(4)
    )
    with pytest.raises(ChipMapError, match="the arrays have 68159488 cells, more than 67108864"):
        parse_chip_map(TEXT + large)
    assert (MOST_LINES, MOST_CELLS) == (chip_text.MOST_LINES, chip_text.MOST_CELLS)


def test_the_arrays_of_a_differential_loop_have_one_size():
    second = TEXT.index('name = "invert_negative"')
    with pytest.raises(
        ChipMapError, match=r"the first two inverting arrays share rows and columns .* one size"
    ):
        parse_chip_map(TEXT[:second] + TEXT[second:].replace("rows = 32", "rows = 16", 1))


def test_text_that_is_no_toml_says_where():
    with pytest.raises(ChipMapError, match=r"my\.toml is not valid TOML: .*line 2"):
        parse_chip_map('name = "x"\nlevels = ]\n', "my.toml")


def test_an_unknown_chip_lists_the_known_ones(tmp_path):
    with pytest.raises(
        ChipMapError, match=r"'?nochip'? .*reference, segmented, stanford, stanford35, zuo2025"
    ):
        load_chip_map("nochip")
    with pytest.raises(ChipMapError, match="cannot read chip map"):
        load_chip_map(tmp_path / "missing.toml")
    (tmp_path / "picture.toml").write_bytes(b"\x89PNG")
    with pytest.raises(ChipMapError, match=r"picture\.toml \(not UTF-8 text\)"):
        load_chip_map(tmp_path / "picture.toml")


def test_a_chip_is_read_from_a_file_beside_what_names_it(tmp_path):
    (tmp_path / "mine.toml").write_text(TEXT.replace('name = "reference"', 'name = "mine"'), encoding="utf-8")
    assert parse_chip_map(read_chip_text("mine.toml", relative_to=tmp_path)).name == "mine"
    assert load_chip_map(tmp_path / "mine.toml").name == "mine"


def test_the_hash_tells_texts_apart():
    assert chip_hash(TEXT) == chip_hash(TEXT)
    assert chip_hash(TEXT) != chip_hash(TEXT + " ")


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        ("set_voltage = 4.1", "bit_line"),
        ("reset_full = 4.1", "source_line"),
        ("reset_fine = [1.0, 4.1]", "source_line"),
    ],
)
def test_write_verify_beyond_what_a_formed_cell_bears_is_refused_when_the_chip_map_is_read(setting, line):
    text = read_chip_text("reference") + f"\n[write_verify]\n{setting}\n"
    with pytest.raises(
        ChipMapError, match=rf"goes up to 4\.1 V, and a formed cell bears 4 V \(`bears_formed\.{line}`\)"
    ):
        parse_chip_map(text)
    parse_chip_map(text.replace(f"{line} = 4.0", f"{line} = 4.2"))
