"""Noting calls as they happen, to make the same ones again at another layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple


class Call(NamedTuple):
    """A method call that was made."""

    target: Any
    name: str
    arguments: tuple[Any, ...]
    named: Mapping[str, Any]

    def again(self) -> Any:
        """Make it again."""
        return getattr(self.target, self.name)(*self.arguments, **self.named)


@contextmanager
def taped(tape: list[Call], target: object, names: Sequence[str]) -> Iterator[None]:
    """Note the calls of the methods `names` of `target` on `tape`; they are carried out as well."""

    def noting(name: str) -> Callable[..., Any]:
        method = getattr(target, name)

        def call(*arguments: Any, **named: Any) -> Any:
            tape.append(Call(target, name, arguments, named))
            return method(*arguments, **named)

        return call

    for name in names:
        setattr(target, name, noting(name))
    try:
        yield
    finally:
        for name in names:
            delattr(target, name)
