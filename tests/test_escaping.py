"""Whatever a text holds, no terminal, browser, Markdown reader or spreadsheet obeys it."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from mho.cli.terminal.terminal import Terminal
from mho.escaping import csv_cell, html, markdown, visible

# Surrogates as os.fsdecode makes them of file names that are no UTF-8.
TEXTS = st.text(st.characters(codec=None)) | st.text(
    st.sampled_from("\x1b\x9b[]31m\r\n\t\u202e|<&>\"'`*_\\=+-@ a0")
)


@given(TEXTS)
def test_nothing_that_a_terminal_obeys_is_left(text: str):
    shown = visible(text)
    left = {unicodedata.category(mark) for mark in shown.replace("\n", "").replace("\t", "")}
    assert not left & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert visible(text, lines=False).count("\n") == 0
    assert visible(shown) == shown
    shown.encode()


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_what_can_be_seen_stays_as_it_is(text: str):
    assert visible(text) == text


class Collected(HTMLParser):
    """The text of a page, and what else was in it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text, self.tags = "", []

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))

    handle_comment = handle_decl = handle_pi = unknown_decl = lambda self, what: self.tags.append((what, []))


@given(TEXTS)
def test_a_browser_sees_text_and_no_element(text: str):
    page = Collected()
    page.feed(f'<p title="{html(text)}">{html(text)}</p>')
    page.close()
    assert page.tags == [("p", [("title", visible(text))])]
    assert page.text == visible(text)


@given(TEXTS)
def test_markdown_has_one_line_and_no_markup(text: str):
    line = markdown(text)
    assert not re.search(r"[\n\r<>]", line)
    assert not re.search(r"(?<!\\)(\\\\)*[`*_\[\]|~]", line)


@given(
    TEXTS
    | st.text(st.sampled_from(";,|\t\n \"'=+-@1x\u200b\xa0\x1b"))
    | st.floats().map(str)
    | st.complex_numbers().map(lambda z: str(z).strip("()"))
)
def test_a_spreadsheet_sees_no_formula_and_every_number(text: str):
    cell = str(csv_cell(text))
    try:
        complex(text)
        number = text == text.strip()
    except ValueError:
        number = False
    if number and text.isascii() and "_" not in text:
        assert cell == text
    else:
        assert cell.replace("'", "") == visible(text, lines=False).replace("'", "")
        for part in re.split("[,;|\t\n\r]", cell):
            seen = "".join(mark for mark in part if unicodedata.category(mark) not in ("Cc", "Cf", "Zs"))
            assert not seen.lstrip('"').startswith(("=", "@"))
            assert not seen.lstrip('"').startswith(("+", "-")) or complex(part.strip()) is not None


@pytest.mark.parametrize("value", [-1.5, 0, True, None, 1 - 2j, "-1e-05", "-inf", "nan", "-1-2j"])
def test_numbers_stay_in_csv(value: object):
    cell = csv_cell(value)
    assert (cell, type(cell)) == (value, type(value))  # of equal texts any: they are kept


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ('=cmd|" /C calc"!A0', "'=cmd|\" /C calc\"!A0"), ("+1+cmd", "'+1+cmd"), ("-2+3+cmd|x", "'-2+3+cmd|x"),
        ("@SUM(A1)", "'@SUM(A1)"), ("-1_0", "'-1_0"), ("\t=1", "\\t=1"), ("\r=1", "\\r=1"), ("x\n=1", "x\\n=1"),
        ("x;=cmd|x", "x;'=cmd|x"), ("x;\xa0\"=1", "x;\xa0\"'=1"), ("x\t=1+1", "x\\t=1+1"), (" =1+1", " '=1+1"),
        ("\u200b=1", "\\u200b=1"), ("\u3164=1", "\u3164'=1"), ('"=1', "\"'=1"), ("x,@A1", "x,'@A1"),
        ("0.1; -0.2,-1e-3", "0.1; -0.2,-1e-3"), ("a - b = c", "a - b = c"), ("\x1b[31m\u202e", "\\x1b[31m\\u202e"),
    ],
)  # fmt: skip
def test_formulas_and_commands_are_text_in_csv(text: str, cell: str):
    file = io.StringIO()
    csv.writer(file).writerow([csv_cell(text)])
    assert next(csv.reader(io.StringIO(file.getvalue(), newline=""))) == [cell]


@given(TEXTS)
def test_what_is_printed_commands_no_terminal(text: str):
    out = io.StringIO()
    terminal = Terminal(file=out, force_terminal=True, width=10_000, color_system=None)
    table = Table(box=None, title=text)
    table.add_column(text)
    table.add_row(text)
    terminal.print(text, Text(text), table, f"{text}")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", out.getvalue())


def test_styles_reach_the_terminal_all_the_same():
    out = io.StringIO()
    terminal = Terminal(file=out, force_terminal=True, color_system="standard")
    terminal.print(Text("[red]danger[/red] :skull:", "bold red"))
    assert out.getvalue() == "\x1b[1;31m[red]danger[/red] :skull:\x1b[0m\n"
