"""Creates the groups of a run file, and walks through them; damaged ones are skipped and reported."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import h5py

from mho.runs.reading.opening import DAMAGE

Unreadable = Callable[[str, Exception], None]
"""Called with the path of an unreadable item, and the reason."""


def create_group(parent: h5py.Group, name: str) -> h5py.Group:
    """Create a group that remembers the order of its members; without an index of it, which takes half a kB.

    Nor does it keep when it was made: a copy has the same bytes whenever it is made.
    """
    properties = h5py.h5p.create(h5py.h5p.GROUP_CREATE)
    properties.set_link_creation_order(h5py.h5p.CRT_ORDER_TRACKED)
    properties.set_obj_track_times(False)
    return h5py.Group(h5py.h5g.create(parent.id, name.encode(), gcpl=properties))


def walk(item: h5py.HLObject, unreadable: Unreadable) -> Iterator[tuple[str, h5py.HLObject | None]]:
    """Yield `item` and everything below it, each with its path; None where a link is broken, or leads to a group again.

    Parameters
    ----------
    unreadable : callable
        Called for damage, which is then skipped.
    """
    return _walk(item.name, item, unreadable, set())


def _walk(
    path: str, item: h5py.HLObject, unreadable: Unreadable, seen: set[int]
) -> Iterator[tuple[str, h5py.HLObject | None]]:
    """Walk on; `path` is that of `item`, whose own `name` takes as long as to open it.

    `seen` are the addresses of the visited groups: mho writes no second link to a group, which could form a cycle or double
    the number of paths at every level.
    """
    if not isinstance(item, h5py.Group):
        yield path, item
        return
    address = h5py.h5o.get_info(item.id).addr
    if address in seen:
        yield path, None
        return
    seen.add(address)
    yield path, item
    try:
        names = list(item)
    except DAMAGE as error:
        unreadable(path, error)
        return
    for name in names:
        below = f"{path.rstrip('/')}/{name}"
        try:
            member = item[name]
        except DAMAGE as error:
            if isinstance(item.get(name, getlink=True), h5py.HardLink):
                unreadable(below, error)
            else:  # mho writes no such links: it was added
                yield below, None
            continue
        yield from _walk(below, member, unreadable, seen)
