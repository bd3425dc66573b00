"""The analogue side of simulated instruments: errors of a specimen, limits of a source."""
