"""Simulated NI-DAQmx devices behind the public nidaqmx package."""
