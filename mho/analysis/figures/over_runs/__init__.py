"""Figures over several runs: runs in groups, each group a median with the quartiles of its runs."""
