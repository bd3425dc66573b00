"""Procedures on cells.

- `programming`: write cells to levels and verify them;
- `reading`: measure cells without changing them;
- `switching`: pulses and sweeps that change cells, and what their response tells of the device.
"""
