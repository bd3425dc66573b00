"""A page as one HTML file: nothing is loaded, nothing is executed, every text is escaped."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from mho.analysis.documents import blocks
from mho.analysis.documents.pictures import alt_text, screen_picture
from mho.analysis.documents.style import STYLE
from mho.escaping import html

_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="description" content="{subject}">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{body}
</main>
</body>
</html>
"""


def html_page(document: blocks.Document) -> str:
    """Return the page; the same document gives the same text."""
    title, subject = html(document.title), html(document.subject or document.title)
    lines = [line for block in document.blocks for line in _block(block, document.pixels)]
    if document.contents:  # below what stands before the first heading
        first = next((number for number, line in enumerate(lines) if line.startswith("<h2")), len(lines))
        lines[first:first] = _contents(document)
    return _PAGE.format(title=title, subject=subject, style=STYLE, body="\n".join(lines))


def _contents(document: blocks.Document) -> Iterator[str]:
    headings = [
        one for one in document.blocks if isinstance(one, blocks.Heading) and one.level == 2 and one.anchor
    ]
    if len(headings) > 2:
        yield '<nav aria-label="Contents"><ul>'
        yield from (f'<li><a href="#{html(one.anchor)}">{html(one.text)}</a></li>' for one in headings)
        yield "</ul></nav>"


def _block(block: blocks.Block, pixels: bool) -> Iterator[str]:
    match block:
        case blocks.Heading():
            anchor = f' id="{html(block.anchor)}"' if block.anchor else ""
            yield f"<h{block.level}{anchor}>{html(block.text)}</h{block.level}>"
        case blocks.Paragraph():
            tone = f' class="{html(block.tone)}"' if block.tone else ""
            yield f"<p{tone}>{_words(block.words)}</p>"
        case blocks.Facts():
            yield from _facts(block)
        case blocks.Grid():
            yield from _grid(block)
        case blocks.Listing():
            label = f' aria-label="{html(block.caption)}" tabindex="0"' if block.caption else ""
            yield f"<pre{label}>{html(block.text)}</pre>"
        case blocks.Pictures():
            yield '<div class="figures">'
            yield from (_figure(one, pixels) for one in block.pictures)
            yield "</div>"
        case blocks.Folded():
            yield f"<details><summary>{html(block.summary)}</summary><div>"
            for one in block.blocks:
                yield from _block(one, pixels)
            yield "</div></details>"


def _words(words: blocks.Words) -> str:
    return "".join(map(_span, words if isinstance(words, tuple) else (words,)))


def _span(part: str | blocks.Span) -> str:
    if not isinstance(part, blocks.Span):
        return _text(part)
    shown = _text(part.text)
    if part.link:
        return f'<a href="#{html(part.link)}">{shown}</a>'
    if part.tone == "code":
        return f"<code>{shown}</code>"
    return f'<span class="{html(part.tone)}">{shown}</span>' if part.tone else shown


def _text(text: str) -> str:
    cut = text if len(text) <= blocks.LONGEST_WORDS else f"{text[: blocks.LONGEST_WORDS]} …"
    return html(cut).replace("\n", "<br>")


def _facts(facts: blocks.Facts) -> Iterator[str]:
    yield '<div class="scroll"><table>'
    for name, value in facts.rows:
        yield f'<tr><th scope="row">{html(name)}</th><td>{_words(value)}</td></tr>'
    yield "</table></div>"


def _grid(table: blocks.Grid) -> Iterator[str]:
    yield '<div class="scroll"><table>'
    if table.caption:
        yield f"<caption>{html(table.caption)}</caption>"
    classes = [' class="n"' if place in table.numbers else "" for place in range(len(table.head))]
    if any(table.head):
        titles = "".join(
            f'<th scope="col"{one}>{html(name)}</th>' if name else f"<td{one}></td>"
            for name, one in zip(table.head, classes, strict=True)
        )
        yield f"<thead><tr>{titles}</tr></thead>"
    yield "<tbody>"
    for row in table.rows:
        cells = (f"<td{one}>{_words(words)}</td>" for words, one in zip(row, classes, strict=False))
        yield f"<tr>{''.join(cells)}</tr>"
    yield "</tbody></table></div>"
    if table.note:
        yield f'<p class="note">{html(table.note)}</p>'


def _figure(picture: blocks.Picture, pixels: bool) -> str:
    wide = ' class="wide"' if picture.wide else ""
    if picture.drawing is None:
        above = f"<figcaption>{html(picture.title)}</figcaption>"
        return f'<figure{wide}>{above}<p class="dim">not drawn: {html(picture.trouble)}</p></figure>'
    kind, data = screen_picture(picture.drawing, wide=picture.wide, pixels=pixels)
    source = f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
    return f'<figure{wide}><img alt="{html(alt_text(picture.drawing))}" src="{source}"></figure>'
