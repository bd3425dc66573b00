"""The panel of experiments: the procedures on offer, and the form from which one is run."""
