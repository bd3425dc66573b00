"""Tables in files, however they are written.

- `sources`: lines of `text_files`, of the sheets of `spreadsheets`, and of the arrays in `array_files`;
- `text_tables`: the lines of values among them;
- `form_finding`: what parts fields, which lines are the header; `decimal_marks`: what a comma in a number is;
- `units`, `clocks`: units, dates and times of day, as they are written; `stated`: voltages that names and preambles state.
"""

from mho.extensions.imports.tables.form_finding import TextForm
from mho.extensions.imports.tables.numbers import DECIMAL_MARKS
from mho.extensions.imports.tables.text_tables import TextLine, TextTable

__all__ = ["DECIMAL_MARKS", "TextForm", "TextLine", "TextTable"]
