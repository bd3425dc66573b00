"""Procedures on cells.

- `cell_visits`: an experiment on many cells, one by one or at once; `formed_cells`: which were formed;
- `programming`: write cells to levels and verify them;
- `reading`: measure cells without changing them, and whether they are connected;
- `switching`: forming, pulses and sweeps that change cells;
- `extraction`: what these tell of the device, as functions of arrays.
"""
