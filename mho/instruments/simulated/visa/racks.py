"""Racks of simulated instruments, and the names under which the PyVISA backend finds them."""

from __future__ import annotations

from collections.abc import Callable

from pyvisa.highlevel import VisaLibraryBase

from mho.instruments.simulated.devices import Rack

PACKAGED_BENCH = "simulated"

Build = Callable[[str], Rack]
"""Builds the rack of a bench file from its name, "" for the packaged simulated bench."""


# PyVISA identifies a library by its path only, with a weak reference: the racks by path, and the libraries
# with an open resource manager, have to be kept here.
_racks: dict[str, Rack] = {}
_open_libraries: dict[str, VisaLibraryBase] = {}
_builders: list[Build] = []


def register_rack(name: str, rack: Rack) -> None:
    """Make ``pyvisa.ResourceManager(f"{name}@mho")`` open `rack`.

    Raises
    ------
    ValueError
        When another rack has that name.
    """
    if name in _racks and _racks[name] is not rack:
        raise ValueError(f"a rack named {name!r} is registered already; unregister it first")
    _racks[name] = rack


def unregister_rack(name: str) -> None:
    """Remove a rack and close the sessions that are still open on it."""
    _racks.pop(name, None)
    library = _open_libraries.get(name)
    if library is not None and library.resource_manager is not None:
        library.resource_manager.close()


def rack_names() -> list[str]:
    """Return the names that are registered."""
    return sorted(_racks)


def build_others_by(build: Build) -> None:
    """Set `build` as the function that builds the rack of a name that is not registered."""
    _builders[:] = [build]


def find_rack(name: str) -> Rack:
    """Return a registered rack; any other name is a bench file whose rack is built.

    Raises
    ------
    ValueError
        When `build_others_by` was not called.
    """
    if name in _racks:
        return _racks[name]
    if not _builders:
        raise ValueError(f"no rack is named {name!r}; there are {', '.join(rack_names()) or 'none'}")
    return _builders[0]("" if name == PACKAGED_BENCH else name)


def keep_open(name: str, library: VisaLibraryBase) -> None:
    """Keep a library while its resource manager is open."""
    _open_libraries[name] = library


def let_go(name: str) -> None:
    """Stop keeping a library."""
    _open_libraries.pop(name, None)
