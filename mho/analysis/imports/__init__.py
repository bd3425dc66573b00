"""Imports foreign tables of measurements: checks them, names their columns, writes run files."""
