"""The procedure Invert: one step of INV, as measured."""
