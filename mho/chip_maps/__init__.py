"""Which cell holds what: the chip, its levels, and the way from a matrix to digits on cells.

- `chip`: the chip map, a TOML file; `maps`: those that ship with mho;
- `levels`: digits, conductances and verify windows; `defects`: the list of a chip's lost cells;
- `matrix_files`: matrices and right-hand sides from files; `matrices`: samples, found by name;
- `multiply_encoding`: integers, 3-bit slices, and a signed matrix on the arrays for MVM;
- `inverse_encoding`: a signed matrix on the arrays for INV, and whether its loop settles and the refinement converges;
- `preconditioning`: scales, order and signs of the rows;
- `placement`: the rows and columns that hold a block, past known bad cells; `checksums`: its check columns.
"""
