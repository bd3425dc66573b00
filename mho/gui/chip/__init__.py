"""The chip panel: arrays as maps, the history of a cell, the selection of cells."""
