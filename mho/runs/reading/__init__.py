"""Run files read: finished, still being written, or left behind."""
