"""The window on one run file: map, convergence, parameters and log."""
