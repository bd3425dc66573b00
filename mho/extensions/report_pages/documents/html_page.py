"""A page as one HTML file: nothing is loaded, nothing is executed, every text is escaped."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from mho.escaping import html
from mho.extensions.report_pages.documents import blocks
from mho.extensions.report_pages.documents.pictures import alt_text, screen_picture

LONG = 40  # characters of a cell from which on its column is one of texts

STYLE = """\
:root { color-scheme: light dark; --ink: #1d2330; --faint: #565f70; --line: #c9ced8; --ground: #ffffff;
  --raised: #f4f6f9; --good: #00664d; --bad: #a32020; --doubtful: #7a5200; --link: #0b5cad; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --faint: #a5adbb; --line: #444c5a; --ground: #15181e;
  --raised: #20252e; --good: #55d3a9; --bad: #ff9a8d; --doubtful: #f0c060; --link: #86b8f5; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground); max-width: 1000px;
  margin: 0 auto; padding: 1.5em 1em 4em; overflow-wrap: break-word; }
h1 { margin: 0 0 0.5em; line-height: 1.2; font-size: 1.7em; text-wrap: balance; }
h2 { margin: 1.8em 0 0.5em; border-bottom: 1px solid var(--line); font-size: 1.25em; }
h3 { margin: 1.4em 0 0.4em; font-size: 1.05em; } h4 { margin: 1.2em 0 0.3em; font-size: 1em; }
p { max-width: 46em; } a { color: var(--link); }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: 0.2em 1.2em; margin: 1em 0; padding: 0; }
.verdict { background: var(--raised); border: 1px solid var(--line); border-left: 6px solid var(--faint);
  border-radius: 4px; padding: 0.5em 1em; margin: 0 0 1em; }
.verdict.good { border-left-color: var(--good); } .verdict.bad { border-left-color: var(--bad); }
.verdict.doubtful { border-left-color: var(--doubtful); }
.verdict p { margin: 0.35em 0; } .verdict > p:first-child { font-size: 1.15em; } .verdict span { font-weight: 600; }
.verdict.good, .verdict.bad, .verdict.doubtful { color: var(--ink); }
.scroll { overflow-x: auto; margin: 0.6em 0; }
table { border-collapse: collapse; font-size: 0.94em; }
caption { position: absolute; left: -9999px; width: 1px; overflow: hidden; }
th, td { text-align: left; padding: 0.25em 1.4em 0.25em 0; vertical-align: top; }
thead th { font-weight: 600; border-bottom: 1px solid var(--line); }
tbody tr + tr { border-top: 1px solid var(--raised); }
tbody th { font-weight: 400; color: var(--faint); min-width: 9em; }
.t { min-width: 16em; } td:first-child:not(.t), th:first-child { white-space: nowrap; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.dim { color: var(--faint); } .bad { color: var(--bad); } .good { color: var(--good); }
.doubtful { color: var(--doubtful); }
p.bad, p.doubtful, p.good { border-left: 4px solid currentColor; padding: 0.1em 0 0.1em 0.8em; margin: 0.6em 0; }
.verdict p.bad, .verdict p.doubtful, .verdict p.good { border: 0; padding: 0; }
p.note { color: var(--faint); font-size: 0.9em; margin: 0.2em 0 0.8em; }
pre, code { font-family: ui-monospace, monospace; font-size: 0.88em; }
pre { background: var(--raised); padding: 0.7em 0.9em; overflow-x: auto; white-space: pre-wrap; }
details { margin: 0.4em 0; border: 1px solid var(--line); border-radius: 4px; padding: 0.3em 0.8em; }
.verdict details { border: 0; padding: 0; }
summary { cursor: pointer; font-weight: 600; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 26em), 1fr)); gap: 1.2em; }
figure { margin: 0; break-inside: avoid; } figure.wide { grid-column: 1 / -1; }
figure img { width: 100%; height: auto; background: #ffffff; border-radius: 3px; }
figcaption { color: var(--faint); font-size: 0.9em; line-height: 1.4; } figcaption b { color: var(--ink); }
@media (max-width: 40em) { body { padding: 0.8em 0.7em 3em; } h1 { font-size: 1.35em; } th, td { padding-right: 1em; }
  .facts tr, .facts th, .facts td { display: block; padding-right: 0; } .facts th { padding-bottom: 0; }
  .facts td { padding-top: 0; } .facts th { white-space: normal; } }
@media print {
  :root { color-scheme: light; --ink: #000000; --faint: #444444; --line: #999999; --ground: #ffffff; --raised: #f4f4f4;
    --good: #004d39; --bad: #8a1010; --doubtful: #5c3d00; --link: #000000; }
  @page { size: A4; margin: 13mm 14mm; }
  body { font-size: 9pt; line-height: 1.35; max-width: none; padding: 0; } nav { display: none; }
  a { text-decoration: none; } h2 { margin-top: 1.2em; } p { max-width: none; }
  h1, h2, h3, h4, summary { break-after: avoid; } tr, figure, .verdict { break-inside: avoid; }
  thead { display: table-header-group; } th, td { padding-top: 0.1em; padding-bottom: 0.1em; }
  details { border: 0; padding: 0; margin: 0.15em 0; } details:not([open]) > div { display: none; }
  summary { font-weight: 400; }
  .scroll, pre { overflow: visible; } .t { min-width: 0; overflow-wrap: anywhere; }
  .figures { grid-template-columns: repeat(2, 1fr); gap: 0.8em; } figure.wide img { max-height: 90mm; object-fit: contain; }
  * { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
}
"""
"""Words are broken where they do not fit a line alone, never to make a column narrower: tables scroll. Print takes the
parts that are open, and of the folded ones the heads; a paper cannot scroll, so there long words of a table are broken."""


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
    lines = [line for block in document.blocks for line in _block(block, document)]
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


def _block(block: blocks.Block, document: blocks.Document) -> Iterator[str]:
    match block:
        case blocks.Heading():
            anchor = f' id="{html(block.anchor)}"' if block.anchor else ""
            yield f"<h{block.level}{anchor}>{html(block.text)}</h{block.level}>"
        case blocks.Paragraph():
            tone = f' class="{html(block.tone)}"' if block.tone else ""
            yield f"<p{tone}>{_words(block.words)}</p>"
        case blocks.FactList():
            yield '<div class="scroll facts"><table>'
            for name, value in block.rows:
                yield f'<tr><th scope="row">{html(name)}</th><td>{_words(value)}</td></tr>'
            yield "</table></div>"
        case blocks.Grid():
            yield from _grid(block)
        case blocks.Listing():
            label = f' aria-label="{html(block.caption)}" tabindex="0"' if block.caption else ""
            yield f"<pre{label}>{html(block.text)}</pre>"
        case blocks.Pictures():
            yield '<div class="figures">'
            yield from (_figure(one, document.pixels) for one in block.pictures)
            yield "</div>"
        case blocks.Folded():
            anchor = f' id="{html(block.anchor)}"' if block.anchor else ""
            opened = " open" * document.unfolded
            yield f"<details{anchor}{opened}><summary>{html(block.summary)}</summary><div>"
            for one in block.blocks:
                yield from _block(one, document)
            yield "</div></details>"
        case blocks.VerdictBox():
            yield f'<section class="verdict {html(block.tone)}" id="verdict" aria-label="Verdict">'
            for one in block.blocks:
                yield from _block(one, document)
            yield "</section>"


def _words(words: blocks.Words) -> str:
    return "".join(map(_span, words if isinstance(words, tuple) else (words,)))


def _span(part: str | blocks.TextSpan) -> str:
    if not isinstance(part, blocks.TextSpan):
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


def _grid(table: blocks.Grid) -> Iterator[str]:
    yield '<div class="scroll"><table>'
    if table.caption:
        yield f"<caption>{html(table.caption)}</caption>"
    classes = [_class_of(table, place) for place in range(len(table.head))]
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


def _class_of(table: blocks.Grid, place: int) -> str:
    """Return the class of a column: of numbers, of long texts, which are given the room of a line, or none."""
    if place in table.numbers:
        return ' class="n"'
    long = any(len(blocks.plain(row[place])) > LONG for row in table.rows if place < len(row))
    return ' class="t"' * long


def _figure(picture: blocks.Picture, pixels: bool) -> str:
    wide = ' class="wide"' if picture.wide else ""
    if picture.drawing is None:
        above = f"<figcaption>{html(picture.title)}</figcaption>"
        return f'<figure{wide}>{above}<p class="dim">not drawn: {html(picture.trouble)}</p></figure>'
    kind, data = screen_picture(picture.drawing, wide=picture.wide, pixels=pixels)
    source = f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
    named, _, said = picture.caption.partition(". ")
    below = f"<figcaption><b>{html(named)}.</b> {html(said)}</figcaption>" if said else ""
    return f'<figure{wide}><img alt="{html(alt_text(picture.drawing))}" src="{source}">{below}</figure>'
