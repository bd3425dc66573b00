"""Which cell holds what: chip descriptions, levels, fixed point and slices, encodings, placement."""
