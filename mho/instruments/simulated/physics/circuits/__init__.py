"""The circuits around an array: INV, MVM, amplifiers, converters."""
