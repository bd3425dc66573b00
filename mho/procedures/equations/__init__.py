"""Procedures on equations.

- `solve`, `multiply`, `invert`: the procedures, a room each;
- `forecast`: intervals of what a solve will come to, from solves on drawn chips;
- `circuits`: INV and MVM on a bench as functions of vectors;
- `as_published`: the reference paper's own loops, in which nothing is chosen;
- `algorithms`, `blocks`, `certificates`: what knows no instrument: refinement, inverses from blocks, proofs.
"""
