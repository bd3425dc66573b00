"""Exports a run: CSV, MATLAB, NetCDF, or a folder to publish."""

from mho.analysis.exports.exporting import FORMS, export
from mho.analysis.exports.netcdf import to_xarray

__all__ = ["FORMS", "export", "to_xarray"]
