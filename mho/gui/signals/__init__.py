"""The signals panel: any table of a run as curves."""
