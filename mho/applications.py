"""Applications of analogue inversion and products: `mho.extensions.applications` by a short name, the same module."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.extensions.applications import *  # noqa: F403
else:
    from mho.lazy_names import short_name

    short_name(__name__, "mho.extensions.applications")
