"""Pages, whatever they are about: made of blocks, written as one HTML file or as a PDF."""

from mho.extensions.report_pages.documents.blocks import (
    BAD,
    CODE,
    DIM,
    DOUBTFUL,
    GOOD,
    PERSONAL,
    Block,
    Document,
    FactList,
    Folded,
    Grid,
    Heading,
    Listing,
    Paragraph,
    Picture,
    Pictures,
    TextSpan,
    VerdictBox,
    Words,
    counted,
    folded,
    grid,
    joined,
    listing,
    map_texts,
    plain,
    without_folders,
)
from mho.extensions.report_pages.documents.saving import check_page, save_page

__all__ = [
    "BAD", "CODE", "DIM", "DOUBTFUL", "GOOD", "PERSONAL", "Block", "Document", "FactList", "Folded", "Grid",
    "Heading", "Listing", "Paragraph", "Picture", "Pictures", "TextSpan", "VerdictBox", "Words", "check_page",
    "counted", "folded", "grid", "joined", "listing", "map_texts", "plain", "save_page", "without_folders",
]  # fmt: skip
