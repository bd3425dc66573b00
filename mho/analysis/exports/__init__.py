"""Exports a run: CSV, MATLAB, NetCDF, or a folder to publish."""
