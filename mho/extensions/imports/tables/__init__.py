"""Tables in files, however they are written.

- `text_tables`: lines of text and of sheets, and the values among them; `array_files`: arrays as lines;
- `form_finding`: what parts fields, which lines are the header; `numbers`: those of tables, and what a comma in one is;
- `units`: units, dates and times of day, as they are written, and voltages that names and preambles state.
"""

from mho.extensions.imports.tables.form_finding import TextForm
from mho.extensions.imports.tables.numbers import DECIMAL_MARKS
from mho.extensions.imports.tables.text_tables import TextLine, TextTable

__all__ = ["DECIMAL_MARKS", "TextForm", "TextLine", "TextTable"]
