"""The experiments panel: the list of procedures, and the form from which one is run."""
