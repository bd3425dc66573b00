"""What is proved of a solution: bounds from its residual, and enclosures of the exact one."""
