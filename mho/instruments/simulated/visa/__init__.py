"""The PyVISA backend behind which simulated instruments stand."""
