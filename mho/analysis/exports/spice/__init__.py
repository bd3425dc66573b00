"""Exports the INV loop that a run programmed as a netlist for SPICE."""

from mho.analysis.exports.spice.loop_circuit import FIRST, Played
from mho.analysis.exports.spice.netlist import netlist, write_netlist

__all__ = ["FIRST", "Played", "netlist", "write_netlist"]
