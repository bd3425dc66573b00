"""The window on one run file."""
