"""The panel of the chip: its arrays as maps, the history of a cell, the choice of cells."""
