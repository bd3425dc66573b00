"""Measure cells without changing them."""
