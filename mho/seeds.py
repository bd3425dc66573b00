"""Seeds as scripts have them: a whole number, NumPy's `SeedSequence` or `Generator`, or None for a fresh one."""

from __future__ import annotations

import operator
import secrets
from typing import TYPE_CHECKING, Any, SupportsIndex, TypeAlias

from mho.errors import InputError

if TYPE_CHECKING:  # NumPy itself is loaded by whoever has one of these
    import numpy as np

Seed: TypeAlias = "SupportsIndex | np.random.SeedSequence | np.random.Generator | None"

HIGHEST = 2**63 - 1  # what a run file holds


def seed_number(seed: Seed, what: str = "seed") -> int | None:
    """Return a seed as the number that a run file keeps; None of None.

    Parameters
    ----------
    seed : int, numpy.random.SeedSequence, numpy.random.Generator or None
        A `SeedSequence` gives the same number each time; of a `Generator` one is drawn, so the next call has another.
    what : str
        Its name in messages.

    Raises
    ------
    InputError
        For something else, or a number below 0 or above 2^63 - 1.
    """
    if seed is None:
        return None
    if isinstance(seed, bool):
        raise _refused(seed, what)
    words: Any = getattr(seed, "generate_state", None)
    if words is not None:
        return int(words(1)[0])
    draw: Any = getattr(seed, "integers", None)
    if draw is not None:
        return int(draw(2**32))
    try:
        number = operator.index(seed)  # type: ignore[arg-type]
    except TypeError:
        raise _refused(seed, what) from None
    if not 0 <= number <= HIGHEST:
        raise _refused(seed, what)
    return number


def drawn_seed(seed: Seed, what: str = "seed") -> int:
    """Return a seed as a number, a fresh one of None; errors as `seed_number`."""
    number = seed_number(seed, what)
    return secrets.randbits(32) if number is None else number


def _refused(seed: object, what: str) -> InputError:
    return InputError(
        f"{what} is {seed!r}; it must be a whole number from 0 to 2^63 - 1, a SeedSequence or Generator of numpy.random, "
        "or None"
    )
