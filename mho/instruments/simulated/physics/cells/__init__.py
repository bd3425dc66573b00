"""Cells: state, switching, noise, relaxation, and the presets that give their numbers."""
