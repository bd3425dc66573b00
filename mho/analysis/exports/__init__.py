"""A run in other forms: CSV, MATLAB, NetCDF, or a folder to publish."""
