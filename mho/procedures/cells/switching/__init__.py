"""Pulses and sweeps that change cells, and what their response tells of the device."""
