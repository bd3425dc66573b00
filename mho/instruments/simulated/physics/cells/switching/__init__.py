"""How pulses switch a cell: the laws that presets name, and what they share."""
