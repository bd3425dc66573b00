"""What a run file holds of cells that are programmed, and what is read from it when another run goes on with them."""
