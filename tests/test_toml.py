"""Errors in a TOML file name the file, the key, the line and what to do, whatever is wrong."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import model_validator

from mho.errors import BenchError
from mho.toml import StrictModel, line_of, load_toml, parse_toml, toml_value


class Wire(StrictModel):
    length: float = 1.0
    colour: str

    @model_validator(mode="after")
    def _dyed(self) -> Wire:
        if self.colour == "plaid":
            raise ValueError("plaid is no colour")
        return self


class Box(StrictModel):
    name: str
    wires: tuple[Wire, ...] = ()
    limits: dict[str, Wire] = {}
    spare: Wire | None = None

    @model_validator(mode="after")
    def _not_haunted(self) -> Box:
        if self.name == "ghost":
            raise ValueError("haunted boxes are not for sale")
        return self


def complaint(text: str) -> str:
    with pytest.raises(BenchError) as refused:
        parse_toml(text, Box, "box.toml", BenchError)
    message = str(refused.value)
    assert "\n" not in message
    return message


BRACKETS = "[" * 60


@pytest.mark.parametrize(
    "value",
    [f'"{BRACKETS}"', f'"\\"{BRACKETS}"', f"'{BRACKETS}'", f'"""\n\\"{BRACKETS}"""', f"'''\n{BRACKETS}'''"],
)
def test_brackets_in_texts_and_comments_do_not_count(value: str) -> None:
    box = parse_toml(f"name = {value} # {BRACKETS}\n", Box, "box.toml", BenchError)
    assert box.name.endswith(BRACKETS)


@pytest.mark.parametrize("value", ["[" * 51 + "]" * 51, "[" * 100_000, "[{x = " * 26 + "1" + "}]" * 26])
def test_deep_nesting_is_refused_before_the_parser_calls_itself(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tomllib.loads", lambda text: pytest.fail("it was read"))
    assert "nested deeper than 50 levels" in complaint(f"name = {value}")


def test_nesting_of_fifty_levels_is_read() -> None:
    assert "name" in complaint(f"name = {'[' * 49 + ']' * 49}")
    assert "nested" in complaint("name" + ".a" * 50 + " = 1")


def test_a_right_file_is_read():
    box = parse_toml('name = "b"\n[[wires]]\ncolour = "red"\n', Box, "box.toml", BenchError)
    assert box.wires[0] == Wire(colour="red")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('nam = "b"', "box.toml: nam (line 1): unknown key; did you mean 'name'?"),
        ('\n# none\n', "box.toml: name: this key is missing"),
        ('name = "b"\n\n[[wires]]\ncolour = "red"\n[[wires]]\ncolor = "red"',
         "box.toml: wires.1.color (line 6): unknown key; did you mean 'colour'?"),
        ('name = "b"\n[spare]\ncolour = "red"\nlenght = 3',
         "box.toml: spare.lenght (line 4): unknown key; did you mean 'length'?"),
        ('name = "b"\n[limits."bit line"]\ncolour = "red"\nlengt = 2.0',
         "box.toml: limits.bit line.lengt (line 4): unknown key; did you mean 'length'?"),
        ('name = "b"\n[limits."bit line"]\ncolour = 5', "box.toml: limits.bit line.colour (line 3): "),
        ('name = "b"\nspare.colour = 3', "box.toml: spare.colour (line 2): "),
        ('name = "b"\nspare = { colour = 3 }', "box.toml: spare.colour (line 2): "),
        ('name = "b"\nzzz = 3', "box.toml: zzz (line 2): unknown key"),
        ('name = "ghost"', "box.toml: the file: haunted boxes are not for sale"),
        ('name = ', "box.toml is not valid TOML: "),
    ],
)  # fmt: skip
def test_the_answer_names_key_and_line(text, answer):
    assert complaint(text).startswith(answer)


def test_a_validator_s_sentence_stands_alone():
    assert complaint('name = "ghost"').endswith("not for sale")
    assert complaint('name = "b"\n[spare]\ncolour = "plaid"').endswith("spare (line 2): plaid is no colour")


def test_a_key_far_from_every_known_one_gets_no_suggestion():
    assert "did you mean" not in complaint('name = "b"\nzzz = 3')


@given(st.text(max_size=200))
def test_no_text_breaks_it(text):
    with contextlib.suppress(BenchError):
        parse_toml(text, Box, "box.toml", BenchError)


@given(
    st.lists(st.sampled_from(["[[wires]]", "[a.b]", '["x y"]', "k = 1", "# c", "", "[ a . c ]"])), st.data()
)
def test_the_line_of_a_key_is_a_line_of_the_text(lines, data):
    path = data.draw(st.lists(st.sampled_from(["wires", "0", "1", "a", "b", "c", "x y", "k"]), max_size=3))
    line = line_of("\n".join(lines), path)
    assert line is None or 1 <= line <= len(lines)


VALUES = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text()


@given(st.recursive(VALUES, st.lists, max_leaves=10))
def test_a_value_is_read_as_it_was_written(value):
    assert load_toml(f"a = {toml_value(value)}", "a.toml", BenchError) == {"a": value}


def test_values_of_numpy_and_of_paths_are_numbers_and_texts():
    assert toml_value((np.float64(1e-7), Path("a"))) == '[1e-07, "a"]'


@pytest.mark.parametrize("path", [r"C:\Users\lab.toml", r"D:\lab.toml"])
def test_a_path_of_windows_in_double_quotes_is_told_how_to_be_written(path):
    assert complaint(f'name = "{path}"').endswith("as a path of Windows, in single quotes")
    assert "single quotes" not in complaint('name = "b')
