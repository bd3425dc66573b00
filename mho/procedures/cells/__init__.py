"""Procedures on cells: program, read, sweep, and the write-verify they share."""
