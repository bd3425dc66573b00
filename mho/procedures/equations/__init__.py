"""Procedures on equations: solve, with what INV, MVM and refinement need."""
