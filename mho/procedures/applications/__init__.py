"""Problems of science and engineering on a chip: each programs a matrix once and answers many vectors with it."""
