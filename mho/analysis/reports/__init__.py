"""A run, or thousands of them, in a few numbers: summaries, convergence, cells."""
