"""Matrices held on a chip for programs that solve and multiply again and again."""
