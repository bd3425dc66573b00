"""Makes a research package of runs: files, tables, figures, and what a repository and a stranger need to know of them."""

from mho.analysis.exports.package.description import Description
from mho.analysis.exports.package.publishing import Published, publish

__all__ = ["Description", "Published", "publish"]
