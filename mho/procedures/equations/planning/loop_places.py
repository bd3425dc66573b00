"""Places of an inverting loop: which kinds of encoding have room on a chip, and on which lines one goes."""

from __future__ import annotations

from collections.abc import Sequence

from mho.array_types import Floats
from mho.chip_maps.chip import ArrayMap, ChipMap
from mho.chip_maps.inverse_encoding import KINDS, InverseEncoding, Kind
from mho.chip_maps.placement import Placement, place, shared
from mho.errors import ChipMapError


def fitting_kinds(
    chip: ChipMap, loops: Sequence[ArrayMap], matrix: Floats, encoding: str, lines: tuple[int, int]
) -> tuple[Kind, ...]:
    """Return the kinds of encoding that fit: a bias column needs one more line, signs without it a second array."""
    n = len(matrix)
    room = min(*loops[0].stretch, *lines)
    if n > room:
        raise ChipMapError(
            f"the matrix is {n} x {n} (as a real one); the inverting arrays of chip {chip.name!r} take up to "
            f"{room} x {room} with the differential encoding and {room - (loops[0].bias == 'cells')} x "
            f"{room - (loops[0].bias == 'cells')} with the bias column"
        )
    kinds: tuple[Kind, ...] = kinds_on(loops[0], encoding)
    if n + 1 > room:
        kinds = tuple(kind for kind in kinds if kind != "bias")
    if len(loops) < 2 and bool((matrix < 0.0).any()):
        kinds = tuple(kind for kind in kinds if kind != "differential")
    if not kinds:
        raise ChipMapError(
            f"no room for a signed {n} x {n} matrix on chip {chip.name!r}: it takes a second inverting array "
            f"(differential) or one row and column more than the {room} there are (bias column)"
        )
    return kinds


def kinds_on(array: ArrayMap, encoding: str) -> tuple[Kind, ...]:
    """Return the kinds of an encoding asked for on an inverting array, whose bias column may be of resistors."""
    bias: Kind = "bias" if array.bias == "cells" else "bias resistors"
    return tuple(bias if kind == "bias" else kind for kind in KINDS if encoding in ("auto", kind))


def place_loop(
    loops: Sequence[ArrayMap], encoding: InverseEncoding, second_slice: Sequence[ArrayMap] = ()
) -> Placement:
    """Return lines for a loop on the inverting arrays, whose crossings hold no known bad cell."""
    # All arrays of a loop share rows and columns, so a bad cell of any one counts.
    used = [*loops[: 2 if encoding.kind == "differential" else 1], *second_slice]
    return place(shared(used), encoding.order, encoding.order)
