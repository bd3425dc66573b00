"""Functions of JAX on a bench's cells: `mho.extensions.linalg.jax_functions` by a short name, the same module."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.extensions.linalg.jax_functions import *  # noqa: F403
else:
    from mho.lazy_names import short_name

    short_name(__name__, "mho.extensions.linalg.jax_functions")
