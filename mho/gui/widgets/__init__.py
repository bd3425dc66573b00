"""Widgets that several panels use: plots, colours, labels, the window of a command."""
