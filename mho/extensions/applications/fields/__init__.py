"""Equations of fields on a grid: Poisson, diffusion, the p-n junction."""
