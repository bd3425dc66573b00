"""Racks of simulated instruments, and the names under which the PyVISA backend finds them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Protocol, cast

from pyvisa.highlevel import VisaLibraryBase

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.visa.sessions import Device

PACKAGED_BENCH = "simulated"


class Rack(Protocol):
    """A set of simulated instruments on one clock.

    It may have `faults`, a list of `Fault`, and `traffic`, a dict of `Traffic` by resource name.
    """

    @property
    def devices(self) -> Mapping[str, Device]:
        """Instruments by VISA resource name."""
        ...

    @property
    def clock(self) -> VirtualClock:
        """The time they share."""
        ...


# PyVISA knows a library by its path only, and only weakly: what a path stands for, and the libraries that
# have an open resource manager, have to be kept here.
_racks: dict[str, Rack] = {}
_open_libraries: dict[str, VisaLibraryBase] = {}


def register_rack(name: str, rack: Rack) -> None:
    """Let ``pyvisa.ResourceManager(f"{name}@mho")`` talk to `rack`.

    Raises
    ------
    ValueError
        When another rack has that name.
    """
    if name in _racks and _racks[name] is not rack:
        raise ValueError(f"a rack named {name!r} is registered already; unregister it first")
    _racks[name] = rack


def unregister_rack(name: str) -> None:
    """Forget a rack and close the sessions that are still open on it."""
    _racks.pop(name, None)
    library = _open_libraries.get(name)
    if library is not None and library.resource_manager is not None:
        library.resource_manager.close()


def rack_names() -> list[str]:
    """Return the names that are registered."""
    return sorted(_racks)


def find_rack(name: str) -> Rack:
    """Return a registered rack; any other name is a bench file whose rack is built."""
    if name in _racks:
        return _racks[name]
    # Late, because the laboratory is a customer of this module's neighbours.
    laboratory = import_module("mho.instruments.laboratory.laboratory")
    return cast(Rack, laboratory.build_rack("" if name == PACKAGED_BENCH else name))


def keep_open(name: str, library: VisaLibraryBase) -> None:
    """Hold a library while its resource manager is open."""
    _open_libraries[name] = library


def let_go(name: str) -> None:
    """Stop holding a library."""
    _open_libraries.pop(name, None)
