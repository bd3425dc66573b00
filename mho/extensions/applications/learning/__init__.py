"""Applications of statistics and learning: regression, generalised inverse, non-negative matrix factorisation."""
