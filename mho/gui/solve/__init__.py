"""The panel of a solve: convergence, solution, constellation."""
