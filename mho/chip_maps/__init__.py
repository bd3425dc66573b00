"""Which cell holds what: the chip, its levels, and the way from a matrix to digits on cells.

- `chip`: the chip map, a TOML file; `maps`: those that ship with mho;
- `levels`: digits, conductances and verify windows;
- `matrix_files`: matrices and right-hand sides from files; `matrices`: samples, found by name;
- `fixed_point`: integers and 3-bit slices;
- `multiply_encoding`, `inverse_encoding`: a signed matrix on the arrays for MVM and for INV;
- `preconditioning`, `forecast`: scales, order and signs of the rows; whether the loop settles and the refinement converges;
- `placement`: the rows and columns that hold a block, past known bad cells.
"""
