"""Cells of one's own: the laws that a simulated chip's cells follow, and the presets that give their numbers.

A law is any object with the methods of `SwitchingLaw`, `DeviceSpread`, `Relaxation`, `ReadNoise` or `Conduction`, of one
or of several; what it does not bring is the preset's. It is given wherever a preset is: ``preset=MyLaw()``,
``preset=cell_preset("stanford").but(MyLaw(), read_noise=0.01)``, ``preset="path/file.py:MyLaw"``.
"""

from mho.instruments.simulated import (
    CELL_PRESETS,
    CellPreset,
    Cells,
    Conduction,
    DeviceSpread,
    OwnLawError,
    ReadNoise,
    Relaxation,
    SwitchingLaw,
    cell_preset,
    preset_text,
)

__all__ = [
    "CELL_PRESETS", "CellPreset", "Cells", "Conduction", "DeviceSpread", "OwnLawError", "ReadNoise", "Relaxation",
    "SwitchingLaw", "cell_preset", "preset_text",
]  # fmt: skip
