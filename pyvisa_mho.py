"""The name under which PyVISA finds the virtual bench: ``pyvisa.ResourceManager("@mho")``."""

from mho.instruments.simulated.visa.backend import MhoVisaLibrary

WRAPPER_CLASS = MhoVisaLibrary
