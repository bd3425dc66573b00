"""A page as one HTML file: escaped, bounded, accessible, the same for the same content; what is personal is taken off."""

from __future__ import annotations

import html
import re
import subprocess
from html.parser import HTMLParser
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from system_packages import ALONE, browser, needs_browser

from mho import run
from mho.analysis.figures import AxisText, Drawing, Mark
from mho.errors import InputError
from mho.extensions.report_pages import report
from mho.extensions.report_pages.documents import (
    BAD,
    Document,
    FactList,
    Folded,
    Heading,
    Listing,
    Paragraph,
    Picture,
    Pictures,
    TextSpan,
    grid,
    listing,
    map_texts,
    save_page,
    without_folders,
)
from mho.extensions.report_pages.documents.html_page import STYLE, html_page
from mho.extensions.report_pages.documents.pictures import alt_text, screen_picture
from mho.procedures import Solve

EVIL = "<script>alert(1)</script>\x1b[31m"
VOID = {"meta", "img", "br"}


class Tags(HTMLParser):
    """Refuses a page whose elements are not closed in their order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def line(points: int = 3) -> Drawing:
    x = np.arange(points, dtype=float)
    mark = Mark("line", "cell <1>", x, 1e-6 * x, "#0072B2")
    return Drawing("Currents", marks=(mark,), x=AxisText("time", "s"), y=AxisText("conductance", "S"))


def page_of(*blocks, **given) -> str:
    return html_page(Document("A title & more", blocks, **given))


def test_every_text_is_escaped_wherever_it_stands() -> None:
    page = page_of(
        Heading(EVIL, 2, EVIL),
        Paragraph((EVIL, TextSpan(EVIL, BAD), TextSpan(EVIL, link=EVIL))),
        FactList(((EVIL, EVIL),)),
        grid((EVIL,), [(EVIL,)], caption=EVIL, note=EVIL),
        Listing(EVIL, EVIL),
        Folded(EVIL, (Paragraph(EVIL),)),
        Pictures((Picture(EVIL, trouble=EVIL), Picture(EVIL, Drawing("<script>", nothing="<script>")))),
        subject=EVIL,
    )
    assert "<script" not in page
    assert "\x1b" not in page
    assert page.count("&lt;script&gt;") >= 16
    Tags(page)


def test_a_page_is_for_phones_print_and_readers() -> None:
    page = page_of(
        *(Heading(name, 2, name) for name in ("one", "two", "three")),
        grid(("a", "b"), [("1", "2")], numbers=(1,), caption="numbers"),
        FactList((("file", "x.h5"),)),
    )
    tags = Tags(page).seen
    assert ("html", {"lang": "en"}) in tags
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in tags
    assert [attrs["scope"] for tag, attrs in tags if tag == "th"] == ["col", "col", "row"]
    assert "<caption>numbers</caption>" in page
    assert '<nav aria-label="Contents">' in page
    assert '<a href="#two">two</a>' in page
    assert '<td class="n">2</td>' in page
    for rule in (
        "prefers-color-scheme: dark",
        "@media print",
        "details:not([open]) > div { display: none; }",
        "@media (max-width",
        "overflow-x: auto",
        "table-header-group",
    ):
        assert rule in page


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour ``#rrggbb``, of WCAG 2.2."""
    parts = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255.0
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_every_colour_of_a_text_can_be_read_on_its_ground_in_light_in_dark_and_in_print() -> None:
    themes = [
        dict(re.findall(r"--(\w+): (#\w{6})", root)) for root in re.findall(r":root \{([^}]*)\}", STYLE)
    ]
    assert len(themes) == 3
    for theme in themes:
        for ink, ground in product(("ink", "faint", "good", "bad", "doubtful", "link"), ("ground", "raised")):
            light, dark = sorted((luminance(theme[ink]), luminance(theme[ground])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, ground, theme)


def test_columns_of_long_texts_have_room_and_no_rule_breaks_words_on_a_screen() -> None:
    page = page_of(grid(("name", "value", "why"), [("a", "1", "because " * 9)], numbers=(1,)))
    assert '<th scope="col" class="t">why</th>' in page
    assert f'<td class="t">{"because " * 9}</td>' in page
    screen = STYLE[: STYLE.index("@media print")]
    assert "anywhere" not in screen
    assert "break-all" not in screen


WIDE_WORDS = """<script>onload = () => {
  const page = document.querySelector("iframe").contentDocument, broken = [];
  const walk = page.createTreeWalker(page.body, NodeFilter.SHOW_TEXT);
  for (let node; node = walk.nextNode();) {
    if (node.parentElement.closest("pre, caption")) continue;
    for (const word of node.data.matchAll(/\\S+/g)) {
      const range = page.createRange();
      range.setStart(node, word.index); range.setEnd(node, word.index + word[0].length);
      const lines = new Set([...range.getClientRects()].map((one) => one.top)).size;
      if (lines > 1 && word[0].length < 30 && !/[-/\u2026]/.test(word[0])) broken.push(word[0]);
    }
  }
  document.title = `${page.documentElement.scrollWidth} ${broken.length} ${broken}`;
}</script>"""


def browse(*words: object) -> str:
    """Run a browser without a screen, and return what it prints."""
    command = [browser(), *ALONE, *map(str, words)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout


@needs_browser
@pytest.mark.thorough
def test_on_a_phone_no_word_is_broken_and_in_print_a_solve_takes_four_sheets_at_most(tmp_path: Path) -> None:
    pypdf = pytest.importorskip("pypdf")
    run(
        Solve(matrix=np.diag([1.0, 2.0, 3.0, 4.0]) + 0.1, bits=16),
        "arrays",
        seed=1,
        output=tmp_path / "run.h5",
    )
    page = report(tmp_path / "run.h5")
    browse(f"--print-to-pdf={tmp_path / 'page.pdf'}", "--no-pdf-header-footer", page.as_uri())
    assert len(pypdf.PdfReader(tmp_path / "page.pdf").pages) <= 4
    for opened in (False, True):
        text = html.escape(report(tmp_path / "run.h5", whole=opened).read_text("utf-8"))
        frame = f'<iframe width=360 height=4000 style="border: 0" srcdoc="{text}"></iframe>'
        (tmp_path / "phone.html").write_text(
            f'<meta charset="utf-8"><title></title>{frame}{WIDE_WORDS}', "utf-8"
        )
        dom = browse("--dump-dom", "--virtual-time-budget=5000", (tmp_path / "phone.html").as_uri())
        width, broken = re.search("<title>(.*?)</title>", dom).group(1).split(maxsplit=1)
        assert int(width) <= 360
        assert broken.split() == ["0"], broken


def test_nothing_is_loaded_from_outside() -> None:
    page = page_of(Pictures((Picture("Currents", line()),)))
    sources = [attrs.get("src", "") for tag, attrs in Tags(page).seen if tag in ("img", "script", "link")]
    assert [one.partition(";")[0] for one in sources] == ["data:image/svg+xml"]
    assert "http" not in page
    assert "url(" not in page
    assert "@import" not in page


@pytest.mark.thorough
def test_the_same_content_gives_the_same_page() -> None:
    assert page_of(Pictures((Picture("a", line()),))) == page_of(Pictures((Picture("a", line()),)))


def test_tables_and_listings_are_bounded_and_say_so() -> None:
    table = grid(("row",), [(str(number),) for number in range(10_000)], most=100)
    assert len(table.rows) == 100
    assert table.note == "the first 100 of 10000 rows"
    text = listing("x" * 100_000).text
    assert len(text) < 61_000
    assert "40000 more characters" in text
    assert len(page_of(Paragraph("y" * 1_000_000))) < 10_000


@pytest.mark.thorough
def test_a_figure_of_many_points_is_pixels_one_of_few_a_drawing() -> None:
    kind, data = screen_picture(line())
    assert kind == "image/svg+xml"
    assert b"<svg" in data
    assert screen_picture(line(10_000))[0] == "image/png"
    assert screen_picture(line(), pixels=True)[1].startswith(b"\x89PNG")


def test_a_figure_has_words() -> None:
    words = alt_text(line())
    assert (
        words == "Currents: conductance over time; cell <1>; time from 0 to 2 s, conductance from 0 to 2 µS"
    )
    assert alt_text(Drawing("Map", nothing="no cells read yet")) == "Map: no cells read yet"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/srv/jane/lab/x.mtx", "…/x.mtx"),
        ("read '/srv/jane doe/x.npy' again", "read '…/x.npy' again"),
        ("at C:\\Users\\jane\\x.csv now", "at …/x.csv now"),
        ("\\\\server\\jane\\x.csv", "…/x.csv"),
        ("file:///srv/jane/x", "…/x"),
        ("~/lab/x.toml", "…/x.toml"),
        ("matrix=/srv/jane/x.mtx", "matrix=…/x.mtx"),
        ("…/x.mtx", "…/x.mtx"),
        ("own/file.py:Class", "own/file.py:Class"),
        ("100e3  # V/s; V / µs, 1/s", "100e3  # V/s; V / µs, 1/s"),
        ("https://example.org/a/b", "https://example.org/a/b"),
        ("a // b", "a // b"),
    ],
)
def test_of_absolute_paths_only_the_last_part_is_left(text: str, shown: str) -> None:
    assert without_folders(text) == shown


def test_texts_are_changed_everywhere_but_in_anchors() -> None:
    path = "/srv/jane/x"
    document = Document(
        path,
        (
            Heading(path, 2, path),
            Paragraph((TextSpan(path, link=path), path)),
            Folded(
                path, (grid((path,), [(path,)], caption=path), Listing(path, path), FactList(((path, path),)))
            ),
            Pictures((Picture(path, trouble=path),)),
        ),
        path,
    )
    page = html_page(map_texts(document, without_folders))
    assert page.count(f'"{path}"') + page.count(f'"#{path}"') == page.count(path)


def test_a_page_is_put_in_its_place_whole_and_its_folder_is_made(tmp_path) -> None:
    document = Document("a", ())
    page = save_page(document, tmp_path / "new" / "page.html")
    assert page.read_text("utf-8").startswith("<!DOCTYPE html>")
    assert [one.name for one in page.parent.iterdir()] == ["page.html"]
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        save_page(document, tmp_path / "file" / "page.html")
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        save_page(document, tmp_path / "folder.html")
    with pytest.raises(InputError, match=r"ends in \.html"):
        save_page(document, tmp_path / "page.txt")
