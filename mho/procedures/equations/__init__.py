"""Procedures on equations: solve, with what INV and MVM on the chip need; `algorithms` holds what knows no instrument."""
