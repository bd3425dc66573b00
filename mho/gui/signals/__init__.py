"""The panel of signals: any table of a run as curves."""
