"""The runs panel: search, preview, comparison and export of runs."""
