"""A page as a PDF: the same content as in HTML, figures as vectors, the same bytes for the same content."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest

from mho.analysis.figures import AxisText, Drawing, Mark
from mho.analysis.figures.values.figure_data import MapImage
from mho.errors import InputError
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
    VerdictBox,
    grid,
    save_page,
)

pytest.importorskip("reportlab")
pypdf = pytest.importorskip("pypdf")
pages = pytest.importorskip("mho.extensions.report_pages.documents.pdf_pages")


def curve(title: str = "Currents") -> Drawing:
    x = np.arange(3.0)
    mark = Mark("line", "cell", x, 1e-6 * x, "#0072B2")
    return Drawing(title, marks=(mark,), x=AxisText("time", "s"), y=AxisText("conductance", "S"))


def read(*blocks, **given):
    return pypdf.PdfReader(io.BytesIO(pages.pdf_pages(Document("A title", blocks, **given))))


def text_of(reader) -> str:
    return "\n".join(page.extract_text() for page in reader.pages)


@pytest.mark.thorough
def test_every_block_is_on_the_pages() -> None:
    reader = read(
        Heading("Results", 2, "results"),
        Paragraph(("It ", TextSpan("failed", BAD), " at 5 µS, −3 Ω, ‖A⁻¹‖")),
        FactList((("file", "run.h5"),)),
        grid(("name", "value"), [("gain", "2")], numbers=(1,), note="1 of 9 rows"),
        Listing("mho rerun run.h5\n    indented"),
        Folded("Table reads", (Paragraph("closed on a screen"),)),
        Pictures((Picture("Currents", curve()), Picture("Lost", trouble="no rows"))),
        subject="about a run",
        unfolded=True,
    )
    text = text_of(reader)
    for part in (
        "A title", "Results", "It failed at 5 µS, −3 Ω, ‖A⁻¹‖", "run.h5", "gain", "1 of 9 rows", "mho rerun run.h5",
        "Table reads", "closed on a screen", "Lost: not drawn: no rows", "conductance (µS)",
    ):  # fmt: skip
        assert part in text
    assert reader.metadata.title == "A title"
    assert reader.metadata.subject == "about a run"
    assert [one.title for one in reader.outline] == ["Results"]


def test_of_what_is_folded_the_head_alone_is_printed() -> None:
    text = text_of(
        read(VerdictBox((Paragraph("it failed"),), BAD), Folded("Table reads", (Paragraph("closed"),)))
    )
    assert "it failed" in text
    assert "Table reads" in text
    assert "closed" not in text


@pytest.mark.thorough
def test_the_same_content_gives_the_same_bytes() -> None:
    document = Document("a", (Heading("b", 2, "c"), Pictures((Picture("Currents", curve()),))))
    first = pages.pdf_pages(document)
    assert pages.pdf_pages(document) == first
    assert b"2000" in first  # the time of its making is always the same
    assert b"/CreationDate" in first


@pytest.mark.thorough
def test_figures_are_vectors_but_for_their_images() -> None:
    assert not read(Pictures((Picture("a", curve()), Picture("b", curve("b"))))).pages[0].images
    image = MapImage("m", np.arange(6.0).reshape(2, 3), np.arange(2), np.arange(3))
    drawing = Drawing("Map", images=(image,), y=AxisText("current", "A"))
    assert len(read(Pictures((Picture("Map", drawing),))).pages[0].images) >= 1


def test_foreign_texts_are_only_ever_text() -> None:
    evil = "<b>&amp;</b><link href='#x'>\x1b]0;"
    reader = read(
        Heading(evil, 2, evil), Paragraph((evil, TextSpan(evil, BAD), TextSpan(evil, link="nowhere"))),
        FactList(((evil, evil),)), grid((evil,), [(evil,)], note=evil),
        Listing(evil), Folded(evil, ()), Pictures((Picture(evil, trouble=evil),)),
    )  # fmt: skip
    text = text_of(reader).replace("\n", "")
    assert text.count("<b>&amp;</b><link") >= 9
    assert "\x1b" not in text


def test_a_link_leads_to_its_heading_and_one_to_nowhere_is_text() -> None:
    rows = [(TextSpan("there", link="there"),), (TextSpan("lost", link="lost"),)]
    reader = read(grid(("run",), rows), Heading("There", 2, "there"))
    assert len(reader.pages[0].get("/Annots", [])) == 1


@pytest.mark.thorough
def test_long_and_wide_tables_are_cut_and_nothing_is_lost() -> None:
    rows = [tuple(f"{row}.{column}" for column in range(40)) for row in range(120)]
    reader = read(grid([f"column {number}" for number in range(40)], rows, numbers=range(40)))
    text = text_of(reader)
    assert len(reader.pages) > 3
    assert text.count("column 39") > 1  # the head again on each page
    assert "119.39" in text
    words = text_of(read(grid(("what",), [("word " * 390,)])))
    assert words.count("word") == 390


def test_a_cell_higher_than_a_page_goes_on_on_the_next() -> None:
    row = tuple("wide " * 380 for _ in range(9))
    assert len(read(grid([str(number) for number in range(9)], [row])).pages) > 1


def test_long_lines_of_a_listing_are_broken() -> None:
    text = text_of(read(Listing("x" * 1000 + "\n" + "y\n" * 300)))
    assert text.count("x") == 1000
    assert text.count("y") == 300


def test_without_the_packages_it_is_said_which(monkeypatch, tmp_path) -> None:
    monkeypatch.setitem(sys.modules, "pypdf", None)
    with pytest.raises(
        InputError, match=r"a PDF needs reportlab and pypdf: .* -m pip install reportlab pypdf, or name"
    ):
        save_page(Document("a", ()), tmp_path / "page.pdf")
    assert not list(tmp_path.iterdir())


def test_a_pdf_is_put_in_its_place(tmp_path) -> None:
    assert save_page(Document("a", ()), tmp_path / "page.PDF").read_bytes().startswith(b"%PDF-1.")


def test_a_heading_stays_with_the_beginning_of_a_long_table_not_with_all_of_it() -> None:
    above = grid(("number",), [(str(number),) for number in range(20)])
    long = grid(("number",), [(f"long {number}",) for number in range(50)])
    first, *_ = (page.extract_text() for page in read(above, Heading("After it"), long).pages)
    assert "After it" in first
    assert "long 0" in first
    full = grid(("number",), [(str(number),) for number in range(60)])
    reader = read(full, Heading("After it"), long)
    (place,) = [number for number, page in enumerate(reader.pages) if "After it" in page.extract_text()]
    assert "long 5" in reader.pages[place].extract_text()
