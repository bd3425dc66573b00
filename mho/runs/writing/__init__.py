"""Writes run files during the run."""
