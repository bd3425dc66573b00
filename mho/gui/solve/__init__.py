"""The solve panel: convergence, solution, constellation."""
