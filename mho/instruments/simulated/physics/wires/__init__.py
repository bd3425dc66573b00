"""The wires of an array, solved exactly."""
