"""Verify of many cells at once through the DAQ: which patterns are played, and what they tell of each cell."""
