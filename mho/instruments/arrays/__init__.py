"""The bench without instruments: the same chip, evaluated a whole array at a time."""
