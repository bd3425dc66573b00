"""The site is built from the pages without a warning and without a network, and needs none to be read."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from repository import ROOT

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(600)]

BUILD = """
import socket, sys

def refuse(*_):
    raise OSError("the site is built without a network")

socket.socket.connect = socket.create_connection = refuse
from sphinx.cmd.build import main
sys.exit(main(["-q", "-W", "--keep-going", "-c", "docs", ".", sys.argv[1], "-d", sys.argv[2]]))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    words = [sys.executable, "-c", BUILD, str(folder / "html"), str(folder / "doctrees")]
    built = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert built.returncode == 0, built.stderr
    return folder / "html"


def test_every_page_is_there_with_its_picture_and_docstrings(site: Path) -> None:
    pages = {path.relative_to(ROOT).with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    assert {page for page in pages if not (site / page).is_file()} == set()
    solve = (site / "docs/python/mho.html").read_text("utf-8")
    assert 'id="mho.open_bench"' in solve
    assert 'id="mho.Bench.read"' in solve
    assert "docs/README.html" in (site / "index.html").read_text("utf-8")


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    loaded = re.compile(
        r"<(?:script|img|iframe|link)\b[^>]*?(?:src|href)=\"((?:https?:)?//[^\"]+)\"|@import|url\(['\"]?https?:"
    )
    files = [*site.rglob("*.html"), *site.rglob("*.css")]
    assert len(files) > 100
    assert {
        (path.name, match[0]) for path in files for match in loaded.finditer(path.read_text("utf-8"))
    } == set()


def test_the_search_knows_words_of_pages_and_public_names(site: Path) -> None:
    text = (site / "searchindex.js").read_text("utf-8")
    index = json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))
    assert {"write", "retent"} <= set(index["terms"])
    assert "docs/retention" in index["docnames"]
    assert "mho" in index["objects"]
