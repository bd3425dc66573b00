"""Creates the groups of a run file, and walks through them; damaged ones are skipped and reported."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import h5py

from mho.runs.reading.opening import DAMAGE

Unreadable = Callable[[str, Exception], None]
"""Called with the path of an unreadable item, and the reason."""


def create_group(parent: h5py.Group, name: str) -> h5py.Group:
    """Create a group that remembers the order of its members; without an index of it, which takes half a kB."""
    properties = h5py.h5p.create(h5py.h5p.GROUP_CREATE)
    properties.set_link_creation_order(h5py.h5p.CRT_ORDER_TRACKED)
    return h5py.Group(h5py.h5g.create(parent.id, name.encode(), gcpl=properties))


def walk(
    item: h5py.HLObject, unreadable: Unreadable, seen: set[int] | None = None
) -> Iterator[tuple[str, h5py.HLObject | None]]:
    """Yield `item` and everything below it, each with its path; None where a link is broken, or leads to a group again.

    Parameters
    ----------
    unreadable : callable
        Called for damage, which is then skipped.
    seen : set of int
        Addresses of the visited groups: mho writes no second link to a group, which could form a cycle or double the
        number of paths at every level.
    """
    seen = set() if seen is None else seen
    if isinstance(item, h5py.Group):
        address = h5py.h5o.get_info(item.id).addr
        if address in seen:
            yield item.name, None
            return
        seen.add(address)
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
            path = f"{item.name.rstrip('/')}/{name}"
            if isinstance(item.get(name, getlink=True), h5py.HardLink):
                unreadable(path, error)
            else:  # mho writes no such links: it was added
                yield path, None
            continue
        yield from walk(member, unreadable, seen)
