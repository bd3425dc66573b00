"""The procedure Solve: the system, the plan of its matrix on the chip, the programmed matrix, and what is said of it."""
