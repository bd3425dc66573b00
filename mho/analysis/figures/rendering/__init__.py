"""Marks and images put into Matplotlib's axes; what they are was decided before.

- `axes`: curves, bars, bands, reference lines, scales;
- `images`: maps and confusions on one scale of colours;
- `legends`: names of the marks, where they hide nothing;
- `embedded_fonts`: fonts in a PDF;
- `lettering`: room that letters take, titles, names and numbers of axes.
"""
