"""Procedures on equations.

- `solve`, `invert`, `multiply`: the procedures; `held_matrix`: a matrix on a chip that answers many vectors;
- `forecast`: intervals of what a solve will come to; `worth`: the same solve without the chip; `direct_solve`: by factors;
- `as_published`: the reference paper's own loops, in which nothing is chosen;
- `planning`: what is chosen before anything is programmed; `circuits`: INV and MVM on a bench as functions of vectors;
- `algorithms`, `blocks`, `certificates`: what knows no instrument: refinement, inverses from blocks, proofs.
"""
