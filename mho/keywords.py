"""The keywords of public functions: an unknown one is refused by name, and earlier ways to call go on for a release."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from mho.errors import KeywordError, nearest

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
