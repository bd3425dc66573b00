"""The procedure Multiply: products of digits on the chip, as measured."""
