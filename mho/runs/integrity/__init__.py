"""Checks whether a run file is whole and unchanged: seal, verification, comparison."""
