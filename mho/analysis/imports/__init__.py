"""Imports foreign tables of measurements: checks them, names their columns, writes run files."""

from mho.analysis.imports.table_import import import_table

__all__ = ["import_table"]
