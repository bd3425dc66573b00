"""The panel of the queue: what waits, runs and has ended on a bench."""
