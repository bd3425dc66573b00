"""What is proved of a solution: bounds from its residual, and enclosures of the exact one.

- `certificate`: the bound of an error, from the residual and a bound of the norm of A^-1;
- `least_squares_certificate`: likewise of least squares; `verified_inverse`: a proved bound of I - R A;
- `enclosure`: intervals that hold the exact solution.
"""
