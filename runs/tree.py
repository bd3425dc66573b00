"""Walks through all that is in a run file, past what is damaged."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import h5py

from runs.opening import DAMAGE

Unreadable = Callable[[str, Exception], None]
"""Told the path of what cannot be read, and why."""


def walk(item: h5py.HLObject, unreadable: Unreadable) -> Iterator[tuple[str, h5py.HLObject]]:
    """Yield `item` and everything below it, each with its path.

    Parameters
    ----------
    unreadable : callable
        Told of damage, which is then passed by.
    """
    yield item.name, item
    if not isinstance(item, h5py.Group):
        return
    try:
        names = list(item)
    except DAMAGE as error:
        unreadable(item.name, error)
        return
    for name in names:
        try:
            member = item[name]
        except DAMAGE as error:
            unreadable(f"{item.name.rstrip('/')}/{name}", error)
            continue
        yield from walk(member, unreadable)
