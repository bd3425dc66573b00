"""Sphinx settings of the site: ``python -m sphinx -W --keep-going -c docs . build/site``.

Sources are the Markdown pages as GitHub shows them, the README and its neighbours among them. What only a site needs is
added here: the navigation, which follows the tables of docs/README.md, and the docstrings of the public names.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from importlib import import_module
from inspect import isclass
from pathlib import Path

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

project = "mho"
author = "the authors of mho"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "docs/README"
PACKAGE_PAGES = ("/mho/chip_maps/matrices/README", "/mho/extensions/reach/package_files/README")
include_patterns = ["*.md", "docs/**.md", *(f"{page[1:]}.md" for page in PACKAGE_PAGES)]
exclude_patterns = [
    ".*",
    "build",
    "tests",
    "benchmarks",
    "instruments",
    "procedures",
    "analysis",
    "gui",
    "chip_maps",
]
html_theme = "furo"
html_title = "mho"
html_copy_source = False
html_show_sphinx = False

myst_enable_extensions = ["attrs_inline"]
myst_heading_anchors = 6
suppress_warnings = ["myst.header", "ref.python"]  # words of a docstring that several classes have as names

autodoc_typehints = "none"  # docstrings say the types
autodoc_member_order = "bysource"
autodoc_default_options = {"exclude-members": "set_fit_request, set_score_request"}  # scikit-learn's
napoleon_google_docstring = False
napoleon_use_ivar = True
default_role = "literal"  # `name` in docstrings

BESIDE = ("/README", "/CONTRIBUTING", "/CHANGELOG", "/SECURITY", *PACKAGE_PAGES)


def add_navigation(app: Sphinx, name: str, source: list[str]) -> None:
    """Append to an index page a hidden table of contents for each of its sections, with the pages that it links."""
    if name not in (root_doc, "docs/decisions/README"):
        return
    for section in re.split(r"^## ", source[0], flags=re.M):
        pages = re.findall(r"\]\(([\w/-]+)\.md\)", section)
        if pages:
            source[0] += toctree(section.partition("\n")[0].lstrip("# "), pages)
    if name == root_doc:
        source[0] += toctree("The project", BESIDE)


def add_docstrings(app: Sphinx, name: str, source: list[str]) -> None:
    """Append to a page of public names the docstrings of those that its table lists."""
    if not name.startswith("docs/python/"):
        return
    module = source[0].partition("\n")[0].removeprefix("# ")
    lines = ["", "## In full", "", "```{eval-rst}"]
    for shown in re.findall(r"^\| `(\w+)` \| (?!Another name)", source[0], re.M):
        thing = getattr(import_module(module), shown)
        if not callable(thing):  # a value has no docstring of its own, and a module its own page
            continue
        kind = "class" if isclass(thing) else "function"
        options = ["   :members:", "   :show-inheritance:"] if kind == "class" else []
        lines += [f".. auto{kind}:: {module}.{shown}", *options, ""]
    source[0] += "\n".join((*lines, "```", ""))


def escape_mathematics(
    app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]
) -> None:
    """Escape the bars and stars of formulae in a docstring, which reStructuredText would take for markup."""
    for number, line in enumerate(lines):
        parts = re.split(r"(`+[^`]*`+)", line)
        parts[::2] = [re.sub(r"[|*]", r"\\\g<0>", part) for part in parts[::2]]
        lines[number] = "".join(parts)


def toctree(caption: str, pages: Iterable[str]) -> str:
    """Return the directive that puts pages into the navigation."""
    return "\n".join(("", "```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```", ""))


def add_front_page(app: Sphinx, exception: Exception | None) -> None:
    """Let the site's root open the index of the pages."""
    if exception is None and app.builder.name == "html":
        front = (
            f'<!doctype html><title>mho</title><meta http-equiv="refresh" content="0; url={root_doc}.html">'
        )
        Path(app.outdir, "index.html").write_text(front + "\n", "utf-8")


def setup(app: Sphinx) -> None:
    """Connect what is added to Sphinx's events."""
    app.add_lexer("csv", TextLexer)
    app.connect("source-read", add_navigation)
    app.connect("source-read", add_docstrings)
    app.connect("autodoc-process-docstring", escape_mathematics, priority=400)  # before Napoleon reads it
    app.connect("build-finished", add_front_page)
