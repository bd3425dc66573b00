"""Widgets without a subject of their own: plots, colours, texts."""
