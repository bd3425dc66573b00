"""What is extracted of measured arrays: switching voltages, curves, distributions, lifetimes; no bench is needed."""
