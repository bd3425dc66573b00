"""The name under which PyVISA finds the virtual bench: ``pyvisa.ResourceManager("@mho")``."""

from instruments.simulated.visa import MhoVisaLibrary

WRAPPER_CLASS = MhoVisaLibrary
