"""Applications on graphs and spectra: PageRank as a linear system, the dominant eigenvector by INV and by MVM."""
