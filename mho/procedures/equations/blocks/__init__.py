"""Inverses of large matrices from those of blocks, on arrays: BlockAMC and Schwarz."""
