"""The physics of the simulated chip: cells, wires, amplifiers and converters. It knows no instrument."""
