"""Draws a run: panels, palette, and the picture file."""
