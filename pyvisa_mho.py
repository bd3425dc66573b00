"""The name under which PyVISA finds the virtual bench: ``pyvisa.ResourceManager("@mho")``."""

from mho.instruments.simulated.ports import Rack
from mho.instruments.simulated.visa.backend import MhoVisaLibrary, build_others_by


def _build_rack(bench: str) -> Rack:
    """Build a bench's rack; its chip, and what that needs, is loaded here: a rack without a chip does not wait for it."""
    from mho.instruments.laboratory.laboratory import build_rack

    return build_rack(bench)


build_others_by(_build_rack)
WRAPPER_CLASS = MhoVisaLibrary
