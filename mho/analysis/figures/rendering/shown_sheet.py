"""Matplotlib's figure, which shows itself at the end of a notebook's cell.

Matplotlib's own does so only where pyplot is loaded for the notebook (``%matplotlib inline``), and mho's figures are not
registered with pyplot. Where it is loaded, its picture is shown, once.
"""

from __future__ import annotations

from io import BytesIO

from matplotlib.figure import Figure

CSS_DOTS = 96.0  # pixels of a page in an inch


class Sheet(Figure):
    """A figure with its own canvas."""

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """Return the picture, and width and height at which a page shows it: its own, whatever its dots per inch."""
        picture = BytesIO()
        self.savefig(picture, format="png")
        width, height = self.get_size_inches()
        return picture.getvalue(), {"width": round(width * CSS_DOTS), "height": round(height * CSS_DOTS)}
