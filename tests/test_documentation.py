"""The documentation is true: links lead somewhere, every page is found, commands, options and imports exist."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from repository import ROOT
from typer.main import get_command

from mho.chip_maps.chip import ChipMap
from mho.cli.main import app
from mho.instruments.bench_file.bench_file import BenchFile
from mho.instruments.bench_file.models import PULSE_GENERATORS, SOURCE_METERS, SWITCH_MATRICES
from mho.procedures.manifest import known_entries

PAGES = sorted((*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "data").rglob("*.md")))
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
LINK = re.compile(r"(?<!\\)\[[^\]]*\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
PROCEDURE_VERBS = (("solve",), ("forecast",), ("run",), ("rehearse",), ("queue", "add"), ("queue", "edit"))


@cache
def text_of(page: Path) -> str:
    return page.read_text("utf-8")


def prose(page: Path) -> str:
    """Return a page without its code."""
    return re.sub(r"`[^`\n]+`", "", FENCED.sub("", text_of(page)))


def anchors(page: Path) -> set[str]:
    """Return what GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", text_of(page)), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", NAMES)
def test_every_link_leads_somewhere(name: str) -> None:
    page = ROOT / name
    broken = []
    for link in LINK.findall(prose(page)):
        if re.match(r"https?://", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


def test_the_index_lists_every_page() -> None:
    index, decisions = ROOT / "docs/README.md", ROOT / "docs/decisions/README.md"
    listed = {
        (one.parent / link).resolve() for one in (index, decisions) for link in LINK.findall(text_of(one))
    }
    pages = {page for page in PAGES if page.is_relative_to(index.parent) and page != index}
    assert listed == pages


def test_every_picture_is_shown_somewhere() -> None:
    shown = {(page.parent / link).resolve() for page in PAGES for link in LINK.findall(text_of(page))}
    lost = {path.name for path in (ROOT / "docs/pictures").iterdir()} - {path.name for path in shown}
    assert not lost


# --- names ---


@cache
def sources() -> tuple[str, ...]:
    """Return the path of every Python file of the repository, each with a slash in front."""
    folders = ("mho", "tests", "docs", "data", "benchmarks")
    return tuple(
        f"/{path.relative_to(ROOT).as_posix()}" for one in folders for path in (ROOT / one).rglob("*.py")
    )


def is_there(file: str) -> bool:
    """Whether there is a file of this name; a page may leave out the first folders of its path."""
    return (ROOT / file).is_file() or any(path.endswith(f"/{file}") for path in sources())


ENTRY_POINTS = {
    "mho.procedures", "mho.verbs", "mho.panels", "mho.strategies", "mho.refinements", "mho.encodings",
    "mho.preconditionings",
}  # fmt: skip
"""Groups of entry points, whose names are those of no module."""


def written_by(page: Path) -> set[str]:
    """Return the files that a reader of a page writes: *Write `name`:*."""
    return set(re.findall(r"Write `([\w./]+)`", text_of(page)))


def is_importable(name: str) -> bool:
    """Whether a dotted name is a module, or something that a module has."""
    words = name.split(".")
    for length in range(len(words), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(words[:length]))
        except ModuleNotFoundError:
            continue
        except ImportError:  # it is there, and needs a package that is not
            return length == len(words)
        for word in words[length:]:
            found = getattr(found, word, None)
        return found is not None
    return False


@pytest.mark.parametrize("name", [name for name in NAMES if name != "CHANGELOG.md"])
def test_every_file_and_module_that_is_named_exists(name: str) -> None:
    text = FENCED.sub("", text_of(ROOT / name))
    own = written_by(ROOT / name)
    gone = [file for file in re.findall(r"`([\w./-]+\.py)`", text) if not is_there(file) and file not in own]
    dotted = set(re.findall(r"`(mho(?:\.\w+)+)(?:\(.*?\))?`", text)) - ENTRY_POINTS
    gone += [one for one in dotted if not is_importable(one)]
    assert not gone


def test_the_check_of_names_can_fail() -> None:
    assert is_there("mho/gui/window/main_window.py")
    assert is_there("window/main_window.py")
    assert not is_there("gui/stop.py")
    assert is_importable("mho.runs.RunFile")
    assert not is_importable("mho.runs.run_reader.RunFile")


# --- keys ---


def keys_of(model: type[BaseModel]) -> set[str]:
    """Return every key of a file, those of its sections included."""
    found = set(model.model_fields) - {"root"}  # of a table with names of the user's own
    parts = [field.annotation for field in model.model_fields.values()]
    while parts:
        part = parts.pop()
        parts += get_args(part)
        if isinstance(part, type) and issubclass(part, BaseModel):
            found |= keys_of(part)
    return found


@pytest.mark.parametrize("file", [BenchFile, ChipMap])
def test_every_key_of_bench_and_chip_files_is_described(file: type[BaseModel]) -> None:
    described = set(re.findall(r"[a-z_]+", text_of(ROOT / "docs/bench.md")))
    assert len(keys_of(file)) > 8
    assert keys_of(file) <= described


def test_every_model_is_named_where_a_bench_is_described() -> None:
    models = {*SOURCE_METERS, *PULSE_GENERATORS, *SWITCH_MATRICES}
    assert models <= set(re.findall(r"\w+", text_of(ROOT / "docs/bench.md")))


# --- commands ---


def commands(page: Path) -> Iterator[list[str]]:
    """Yield the words behind ``mho`` of every command that a page shows, in a block or within a line."""
    text = re.sub(r"^\$ .*\nmho: no such .*$", "", text_of(page), flags=re.M)  # is shown to be refused
    blocks = [body for language, body in FENCED.findall(text) if language in ("", "sh", "text", "console")]
    indented = re.findall(r"^ {4,}(.+)$", FENCED.sub("", text), re.M)
    inline = re.findall(r"`([^`\n]+)`", FENCED.sub("", text))
    for line in (*(line for block in blocks for line in block.splitlines()), *indented, *inline):
        for part in re.split(r" && | > ", line.strip().removeprefix("$ ").removeprefix(".venv/bin/")):
            if re.match(r"mho [a-z]", part):
                try:
                    yield shlex.split(part, comments=True)[1:]
                except ValueError:  # a quotation mark that the line does not close
                    yield part.split()[1:]


@cache
def tree() -> dict[tuple[str, ...], Any]:
    """Return every verb by its words."""
    found: dict[tuple[str, ...], Any] = {}

    def walk(command: Any, words: tuple[str, ...]) -> None:
        command = getattr(command, "verb", command)  # which is imported when it is typed
        found[words] = command
        for name in command.list_commands(None) if hasattr(command, "commands") else ():
            walk(command.get_command(None, name), (*words, name))

    walk(get_command(app), ())
    return found


procedures = cache(known_entries)


def options_of(verb: tuple[str, ...], words: list[str]) -> set[str]:
    """Return the options that may follow a verb, those of the procedures that are named included."""
    known = {"--help"}
    for length in range(len(verb) + 1):
        known |= {name for one in tree()[verb[:length]].params for name in one.opts}
    if verb in PROCEDURE_VERBS:
        entries = procedures()
        named = [entries[word] for word in (*verb, *words) if word in entries] or list(entries.values())
        known |= {"--" + key.replace("_", "-") for entry in named for key in entry.parameters}
    return known


def flaws(words: list[str]) -> Iterator[str]:
    if words[0] == "spread" or words[:2] == ["run", "watch"]:
        return  # of the package of docs/extensions.md, which another test follows
    verb: tuple[str, ...] = ()
    while words[len(verb) : len(verb) + 1] and (*verb, words[len(verb)]) in tree():
        verb = (*verb, words[len(verb)])
    if not verb:
        yield f"no verb {words[0]!r}"
        return
    rest = words[len(verb) :]
    if verb in PROCEDURE_VERBS and any(".py:" in word for word in rest):
        return  # a procedure of the reader's own, whose page another test follows
    known = options_of(verb, rest)
    yield from (f"no option {word} of {' '.join(verb)}" for word in rest if option(word) not in known)


def option(word: str) -> str:
    """Return the option's name in a word; ``--help``, which all have, for a word that is none."""
    match = re.match(r"(--[a-z][a-z-]*|-[a-z])(?:=|,?$)", word)  # -NAME is what `mho runs --sort` takes
    return match[1] if match else "--help"


@pytest.mark.parametrize("name", NAMES)
def test_every_command_that_is_shown_exists(name: str) -> None:
    wrong = {f"mho {' '.join(words)}: {flaw}" for words in commands(ROOT / name) for flaw in flaws(words)}
    assert not wrong


def test_the_check_of_commands_can_fail() -> None:
    assert list(flaws(["solv", "a.npy"])) == ["no verb 'solv'"]
    assert list(flaws(["queue", "add", "read", "--row", "0:8"])) == ["no option --row of queue add"]
    assert list(flaws(["runs", "--wher", "x", "--sort", "-bits", "-q"])) == [
        "no option --wher of runs",
        "no option -q of runs",
    ]
    assert list(flaws(["run", "read", "--rows", "0:8", "--bench", "lab.toml"])) == []
    assert sum(len(list(commands(page))) for page in PAGES) > 100


# --- scripts ---


TENSORS = ("torch", "jax")
"""Libraries that are no dependencies, and whose examples are shown."""


@pytest.mark.parametrize("name", NAMES)
def test_every_script_that_is_shown_imports_what_there_is(name: str) -> None:
    own = {file.removesuffix(".py").replace("/", ".") for file in written_by(ROOT / name)}
    for language, body in FENCED.findall(text_of(ROOT / name)):
        if language != "python" or "from __future__" in body or body.startswith(" "):
            continue  # pieces of files, which other tests hold to the files
        for node in ast.walk(ast.parse(body)):
            if isinstance(node, ast.ImportFrom):
                if node.module in own:
                    continue
                try:
                    module = importlib.import_module(node.module or "")
                except ImportError as error:
                    if "which is not installed" in str(error) or getattr(error, "name", "") in TENSORS:
                        continue
                    raise
                assert all(hasattr(module, one.name) for one in node.names), ast.unparse(node)
            elif isinstance(node, ast.Import):
                for one in node.names:
                    if one.name.partition(".")[0] not in TENSORS:
                        importlib.import_module(one.name)


# --- size ---

LARGEST, LONGEST = 40_000, 110
"""Characters of a page as it is shown, links' addresses left out; words of a paragraph."""


def paragraphs(text: str) -> Iterator[str]:
    """Yield the paragraphs of a page and the items of its lists; no code, no tables."""
    for one in re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )|\n(?=[|#])", FENCED.sub("\n\n", text)):
        if not one.startswith("    ") and not one.lstrip().startswith("|"):
            yield one


def is_short(text: str) -> bool:
    return len(re.sub(r"\]\([^)\s]+\)", "]", text)) <= LARGEST


@pytest.mark.parametrize("name", [name for name in NAMES if name != "CHANGELOG.md"])
def test_pages_and_paragraphs_are_short(name: str) -> None:
    text = text_of(ROOT / name)
    assert is_short(text)
    long = [one.strip()[:80] for one in paragraphs(text) if len(one.split()) > LONGEST]
    assert not long


def test_the_check_of_sizes_can_fail() -> None:
    most = " ".join(["word"] * LONGEST)
    text = f"# A page\n\n{most}\n- {most}\n\n| {most} more |\n\n```sh\n{most} more\n```\n\n    {most} more\n"
    assert [len(one.split()) for one in paragraphs(text) if one.strip()] == [3, LONGEST, LONGEST + 1]
    assert is_short("x" * (LARGEST - 6) + "[page](docs/far/away.md)")
    assert not is_short("x" * (LARGEST - 5) + "[page](docs/far/away.md)")
