"""The chip that a bench holds: its map, united with the list of its defects."""

from __future__ import annotations

from mho.chip_maps.chip import ChipMap, parse_chip_map
from mho.chip_maps.defects import chip_with_defects
from mho.instruments import Bench


def chip_of(bench: Bench) -> ChipMap:
    """Return the chip on a bench, with all its known bad cells and lines.

    Raises
    ------
    ChipMapError
        For a chip map or a list of defects that is wrong, and a list of another chip.
    """
    chip = parse_chip_map(bench.chip_text, f"chip map {bench.file.chip}")
    return chip_with_defects(chip, bench.defects_text, "the list of defects")
