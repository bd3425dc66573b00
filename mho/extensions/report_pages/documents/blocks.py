"""What a page is made of, as data: headings, sentences, tables, texts, pictures. Every form of it is written from this.

All texts are plain: whoever writes the page escapes them. Sizes are bounded here, whatever a file held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar

from mho.analysis.figures import Drawing, GroupedFigure
from mho.runs.publication import without_folders as cut

PERSONAL = ("host", "user", "operator", "command_line", "git_diff", "git_status", "folder")
"""Facts of the provenance that are shown only where they are asked for."""


def without_folders(text: str) -> str:
    """Return a text in which of every absolute path only the last part is left: ``…/matrix.mtx``."""
    return cut(text, "…/")


MOST_ROWS = 500  # rows of one table on a page
LONGEST_WORDS, LONGEST_LISTING = 2000, 60_000  # characters of one cell or sentence, and of one listing
GOOD, BAD, DOUBTFUL, DIM, CODE = "good", "bad", "doubtful", "dim", "code"  # tones: how a text is meant


@dataclass(frozen=True)
class TextSpan:
    """A text with a tone, or a link to the heading of an anchor on the same page."""

    text: str
    tone: str = ""
    link: str = ""


Words = str | TextSpan | tuple[str | TextSpan, ...]  # a sentence or a cell; an end of line stays one


@dataclass(frozen=True)
class Heading:
    """A heading of level 2 to 4; `anchor` is what a link names."""

    text: str
    level: int = 2
    anchor: str = ""


@dataclass(frozen=True)
class Paragraph:
    """A sentence or several; one with a tone stands out."""

    words: Words
    tone: str = ""


@dataclass(frozen=True)
class FactList:
    """Names and values."""

    rows: tuple[tuple[str, Words], ...]


@dataclass(frozen=True)
class Grid:
    """A table."""

    head: tuple[str, ...]  # names of the columns
    rows: tuple[tuple[Words, ...], ...]
    numbers: tuple[int, ...] = ()  # columns that are aligned as numbers
    caption: str = ""  # what it is about, for those who cannot see the heading above it
    note: str = ""  # what was left out


@dataclass(frozen=True)
class Listing:
    """A text as it stands: a bench file, a command."""

    text: str
    caption: str = ""


@dataclass(frozen=True)
class Picture:
    """A figure of a run, or one over groups of runs.

    `trouble` says why there is none; `caption` stands below it, and begins with a number: ``Figure 1. Currents over time``.
    """

    title: str
    drawing: Drawing | GroupedFigure | None = None
    trouble: str = ""
    wide: bool = False
    caption: str = ""


@dataclass(frozen=True)
class Pictures:
    """Figures side by side, as far as there is room."""

    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Folded:
    """Blocks that are closed on a screen until they are asked for; in print, of closed ones the summary stands alone."""

    summary: str
    blocks: tuple[Block, ...]
    anchor: str = ""


@dataclass(frozen=True)
class VerdictBox:
    """The box at the top of a page: how it went, and what bears on it; its tone is that of the whole page."""

    blocks: tuple[Block, ...]
    tone: str = ""


Block = Heading | Paragraph | FactList | Grid | Listing | Pictures | Folded | VerdictBox


@dataclass(frozen=True)
class Document:
    """A page."""

    title: str
    blocks: tuple[Block, ...]
    subject: str = ""  # one sentence about it, for those who list files
    contents: bool = True  # whether links to the headings of level 2 stand at the top
    pixels: bool = False  # whether all figures are PNG on a screen: smaller where there are many
    unfolded: bool = False  # whether what is folded is open, on a screen and in print


def grid(
    head: Sequence[str], rows: Sequence[Sequence[Words]], *, numbers: Sequence[int] = (), caption: str = "",
    note: str = "", most: int = MOST_ROWS, of: str = "rows",
) -> Grid:  # fmt: skip
    """Return a table of at most `most` rows; what is left out is counted in its note."""
    if len(rows) > most:
        note = "; ".join(filter(None, (note, f"the first {most} of {len(rows)} {of}")))
    first_rows = tuple(tuple(row) for row in rows[:most])
    return Grid(tuple(head), first_rows, tuple(numbers), caption, note)


def folded(blocks: Iterable[Block]) -> Iterator[Folded]:
    """Yield the parts of a page that begin with headings of level 2 closed, each under its heading."""
    heading, below = Heading("", 2), list[Block]()
    for block in (*blocks, Heading("", 2)):
        if not (isinstance(block, Heading) and block.level == 2):
            below.append(block)
            continue
        if below:
            yield Folded(heading.text, tuple(below), heading.anchor)
        heading, below = block, []


def listing(text: str, caption: str = "") -> Listing:
    """Return a listing of bounded length, which says what it lacks."""
    text = text.strip("\n")
    if len(text) > LONGEST_LISTING:
        left_out = len(text) - LONGEST_LISTING
        text = f"{text[:LONGEST_LISTING]}\n… {left_out} more characters: see the run file"
    return Listing(text, caption)


def counted(number: int, what: str) -> str:
    """Return a number of things in words: ``1 run``, ``3 runs``."""
    return f"{number} {what}{'s' * (number != 1)}"


def plain(words: Words) -> str:
    """Return words without tones."""
    parts = words if isinstance(words, tuple) else (words,)
    return "".join(part.text if isinstance(part, TextSpan) else part for part in parts)


def joined(parts: Sequence[Words], between: str = "\n") -> Words:
    """Return words behind one another."""
    result: list[str | TextSpan] = []
    for number, words in enumerate(parts):
        result += [between] * bool(number)
        result += words if isinstance(words, tuple) else (words,)
    return tuple(result)


Kind = TypeVar("Kind")


def map_texts(part: Kind, change: Callable[[str], str]) -> Kind:
    """Return a document, or a part of one, with every text on it changed; anchors and tones stay."""
    return _mapped(part, change)  # type: ignore[no-any-return]


_KEPT = ("anchor", "link", "tone", "drawing", "level", "numbers", "wide", "contents", "pixels", "unfolded")


def _mapped(part: Any, change: Callable[[str], str]) -> Any:
    if isinstance(part, str):
        return change(part)
    if isinstance(part, tuple):
        return tuple(_mapped(one, change) for one in part)
    if is_dataclass(part) and not isinstance(part, type):
        texts = {
            one.name: _mapped(getattr(part, one.name), change)
            for one in fields(part)
            if one.name not in _KEPT
        }
        return replace(part, **texts)
    return part
