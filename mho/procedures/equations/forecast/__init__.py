"""Forecast of a solve before anything is programmed: whole solves on drawn chips, and the intervals they leave."""
