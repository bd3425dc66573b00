"""What public functions take: keywords, of which an unknown one is refused and earlier ones go on, and seeds."""

from __future__ import annotations

import functools
import inspect
import operator
import secrets
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, SupportsIndex, TypeAlias, TypeVar

from mho.errors import InputError, KeywordError, nearest

if TYPE_CHECKING:  # NumPy itself is loaded by whoever has one of its seeds
    import numpy as np

Given = ParamSpec("Given")
Answer = TypeVar("Answer")
NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def keywords_checked(
    options: type | None = None, *, positional: tuple[str, ...] = (), **earlier: str
) -> Callable[[Callable[Given, Answer]], Callable[Given, Answer]]:
    """Return a decorator for a public function, whose keywords are checked before it is called.

    Parameters
    ----------
    options : TypedDict, optional
        What the function takes as ``**options: Unpack[...]``: part of its signature then, for completion.
    positional : tuple of str
        Keyword-only parameters that could be given by their place, in this order; that still works, and warns.
    **earlier
        Today's name by a keyword's earlier one, which still works, and warns.

    Raises
    ------
    KeywordError
        By the function, for a keyword that it does not have.
    """

    def decorated(function: Callable[Given, Answer]) -> Callable[Given, Answer]:
        signature = inspect.signature(function)
        named = {name: one for name, one in signature.parameters.items() if one.kind in NAMED}
        more = {} if options is None else options.__annotations__
        known = (*named, *more)
        places = sum(one.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD for one in named.values())

        @functools.wraps(function)
        def checked(*values: Any, **keywords: Any) -> Any:
            if positional and len(values) > places:
                by_place = dict(zip(positional, values[places:], strict=False))
                if len(by_place) == len(values) - places and not by_place.keys() & keywords:
                    first = next(iter(by_place))
                    _warn(f"{function.__name__}(): give {first} by its name, {first}={by_place[first]!r}")
                    values, keywords = values[:places], keywords | by_place
            for name in [one for one in keywords if one not in known]:
                if name not in earlier:
                    hint = nearest(name, known, otherwise=f"it has {', '.join(known)}")
                    raise KeywordError(f"{function.__name__}() has no {name!r}; {hint}")
                if earlier[name] not in keywords:
                    _warn(f"{function.__name__}(): {name} is called {earlier[name]} now")
                    keywords[earlier[name]] = keywords.pop(name)
            return function(*values, **keywords)

        listed = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_written(kind))
            for name, kind in more.items()
        ]
        checked.__signature__ = signature.replace(parameters=[*named.values(), *listed])  # type: ignore[attr-defined]
        return checked

    return decorated


def _written(kind: Any) -> Any:
    """Return the type of an option as it is written, as those of the other parameters are."""
    return getattr(kind, "__forward_arg__", kind)


def _warn(text: str) -> None:
    warnings.warn(f"{text}; this will be an error in the next release", DeprecationWarning, stacklevel=3)


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
