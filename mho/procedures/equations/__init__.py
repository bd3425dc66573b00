"""Procedures on equations: solve, invert, multiply, with what INV and MVM on the chip need.

`algorithms` holds what knows no instrument.
"""
