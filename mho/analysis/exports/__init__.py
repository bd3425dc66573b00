"""Exports runs: CSV, MATLAB, NetCDF, a chip map, or a research package."""

from mho.analysis.exports.exporting import FORMS, export, export_all
from mho.analysis.exports.netcdf import to_xarray
from mho.analysis.exports.package import Description, Published, publish

__all__ = ["FORMS", "Description", "Published", "export", "export_all", "publish", "to_xarray"]
