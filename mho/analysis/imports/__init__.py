"""Foreign tables of measurements in: checked, their columns named, written as run files."""
