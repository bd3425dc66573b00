"""Read noise of cells: 1/f noise, telegraph noise, the white floor."""
