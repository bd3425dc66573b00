"""Marks and images put into Matplotlib's axes; what they are was decided before."""
