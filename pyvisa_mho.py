"""The name under which PyVISA finds the virtual bench: ``pyvisa.ResourceManager("@mho")``."""

from mho.instruments.laboratory.laboratory import build_rack
from mho.instruments.simulated.visa.backend import MhoVisaLibrary, build_others_by

build_others_by(build_rack)
WRAPPER_CLASS = MhoVisaLibrary
