"""Summarises a run, or thousands of them, in a few numbers: results, convergence, cells."""
