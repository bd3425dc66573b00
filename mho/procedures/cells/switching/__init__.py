"""Procedures that change cells: forming, pulses and sweeps."""
