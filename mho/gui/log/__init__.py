"""The panel of the log."""
