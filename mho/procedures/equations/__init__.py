"""Procedures on equations.

- `solve`, `multiply`, `invert`: the procedures, a room each;
- `circuits`: INV and MVM on a bench as functions of vectors;
- `algorithms`, `blocks`, `certificates`: what knows no instrument: refinement, inverses from blocks, proofs.
"""
