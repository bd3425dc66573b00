"""Twins and chip wired together as a bench file says; monitor, serving, rehearsal."""
