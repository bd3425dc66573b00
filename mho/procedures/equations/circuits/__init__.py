"""INV and MVM on a bench as functions of vectors, and the blocks they are programmed from."""
