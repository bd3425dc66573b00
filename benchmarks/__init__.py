"""Timed comparisons with the field's own tools, run by hand: ``python -m benchmarks [NAME…]``."""
