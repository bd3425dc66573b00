"""The items of an open run file, each checked to be the file's own when it is first asked for.

Checking a whole file (`mho.runs.reading.containment.check_contained`) opens all its datasets, some hundreds. Who reads
three of them from each of thousands of files has these three checked.
"""

from __future__ import annotations

from pathlib import Path

import h5py

from mho.errors import RunFileError
from mho.runs.reading.containment import Declared, check_contained, check_link, check_values, link_kind
from mho.runs.reading.text import read_text


class OwnItems:
    """Opens the items of a run file by their names within the entry, only the file's own ones.

    Parameters
    ----------
    path : Path
    file : h5py.File
    whole : bool
        The whole file has been checked already.

    Raises
    ------
    RunFileError
        By every method: the file was closed, or what is asked for lies in another file, or declares, with what was asked
        for before, more than the file can hold.
    KeyError
        It is not there.
    """

    def __init__(self, path: Path, file: h5py.File, *, whole: bool) -> None:
        self._path = path
        self._file = file
        self._whole = whole
        self._live = bool(file.swmr_mode)
        self._links: set[str] = set()
        self._counted: set[str] = set()
        self._opened: dict[str, h5py.HLObject] = {}
        self._declared = Declared(path)

    def item(self, name: str) -> h5py.HLObject:
        """Return a group or dataset; "" is the entry. One that a writer may change is opened anew each time."""
        self._check_open()
        if name in self._opened:
            return self._opened[name]
        place = f"entry/{name}" if name else "entry"
        if not self._whole:
            self._leads(place)  # where it leads to nothing, opening says so
        opened = h5py.h5o.open(self._file.id, place.encode())
        if isinstance(opened, h5py.h5g.GroupID):
            return self._opened.setdefault(name, h5py.Group(opened))
        if not isinstance(opened, h5py.h5d.DatasetID):
            return h5py.Datatype(opened)
        if not self._whole and place not in self._counted:
            self._declared.add(opened)
            self._counted.add(place)
        dataset = h5py.Dataset(opened, readonly=True)
        if not self._live:
            self._opened[name] = dataset
        return dataset

    def text(self, name: str) -> str:
        """Return a text as it stands in the file now."""
        self._check_open()
        place = f"entry/{name}"
        if not self._whole:
            self._leads(place)
        dataset = h5py.h5d.open(self._file.id, place.encode())
        if not self._whole:
            check_values(self._path, dataset)
        return read_text(dataset)

    def has(self, group: str, name: str) -> bool:
        """Return whether a group holds something of this name; neither is opened."""
        self._check_open()
        place = f"{group}/{name}".lstrip("/")
        return bool(name) and not set(name) & {"/", ".", "\0"} and self._leads(f"entry/{place}")

    def close(self) -> None:
        """Let go of what was opened."""
        self._opened.clear()

    def members(self, name: str) -> dict[str, h5py.HLObject | None]:
        """Return what a group holds, by name; None for a link that leads nowhere."""
        return {one: self._member(f"{name}/{one}".lstrip("/")) for one in self.names(name)}

    def _member(self, name: str) -> h5py.HLObject | None:
        try:
            return self.item(name)
        except KeyError:
            return None

    def names(self, name: str) -> list[str]:
        """Return the names of what a group holds; nothing of it is opened."""
        return list(self.item(name))

    def check_all(self) -> None:
        """Check the whole file, as opening with ``whole=True`` does."""
        if not self._whole and self._file:
            check_contained(self._path, self._file)
            self._whole = True

    def _check_open(self) -> None:
        if not self._file:
            raise RunFileError(f"run file {self._path} was closed; open it again to read it")

    def _leads(self, place: str) -> bool:
        """Check the links on the way to `place` where none was followed yet; return whether there is one to it."""
        if place in self._links:
            return True
        above = place.rpartition("/")[0]
        if above and not self._leads(above):
            return False
        kind = link_kind(self._file.id, place.encode())
        if kind is None:
            return False
        if not self._whole:
            if kind == h5py.h5l.TYPE_SOFT:  # it may lead anywhere: mho writes none
                self.check_all()
            else:
                check_link(self._path, place.encode(), kind)
        self._links.add(place)
        return True
