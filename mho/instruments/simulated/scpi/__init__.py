"""SCPI for simulated instruments: syntax, parameters, settings, status."""
