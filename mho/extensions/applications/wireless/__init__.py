"""Massive MIMO: many users detected, or served, at once by an array of antennas."""
