"""Writes a page as HTML or PDF, as its name says."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from mho.errors import InputError, needing
from mho.extensions.report_pages.documents.blocks import Document
from mho.whole_files import whole_file

FORMS = (".html", ".htm", ".pdf")
NEEDED = ("reportlab", "pypdf")  # packages that write PDF


def check_page(output: Path) -> None:
    """Raise `InputError` for what no page can be, before the work: another suffix, a folder, a PDF without its packages."""
    if output.suffix.lower() not in FORMS:
        raise InputError(f"page {output} is no page; give a name that ends in .html or .pdf")
    if output.is_dir():
        raise InputError(f"page {output} is a folder; give the name of a file in it")
    if output.suffix.lower() == ".pdf":
        with needing("a PDF", *NEEDED, otherwise=", or name a page that ends in .html"):
            for name in NEEDED:
                import_module(name)


def save_page(document: Document, output: Path) -> Path:
    """Write a page as its name says, HTML or PDF; one that is there is replaced, folders are made.

    Raises `InputError`: it cannot be written, or is no page, see `check_page`.
    """
    check_page(output)
    if output.suffix.lower() == ".pdf":
        from mho.extensions.report_pages.documents.pdf_pages import pdf_pages

        data = pdf_pages(document)
    else:
        from mho.extensions.report_pages.documents.html_page import html_page

        data = html_page(document).encode("utf-8", "backslashreplace")
    with whole_file(output, "page") as draft:
        output.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(data)
    return output
