"""Exports runs: CSV, MATLAB, NetCDF, a chip map, a netlist of the INV loop, or a research package."""

from mho.analysis.exports.exporting import FORMS, PACKAGES, export, export_all
from mho.analysis.exports.netcdf import to_xarray
from mho.analysis.exports.package import Description, Published, publish
from mho.analysis.exports.spice import Played

__all__ = [
    "FORMS", "PACKAGES", "Description", "Played", "Published", "export", "export_all", "publish", "to_xarray",
]  # fmt: skip
