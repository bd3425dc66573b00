"""One page about the runs of a folder: extracted parameters with intervals, figures, what failed and what is missing."""

from mho.analysis.characterisation.extracted_parameters import Extracted, extracted
from mho.analysis.characterisation.page import characterisation_document, write_report

__all__ = ["Extracted", "characterisation_document", "extracted", "write_report"]
