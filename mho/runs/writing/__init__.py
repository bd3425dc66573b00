"""Writes run files during the run, and recovers the file of a killed writer."""
