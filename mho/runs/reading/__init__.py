"""Reads run files: finished ones, growing ones, and those of a killed writer."""
