"""Imports foreign tables of measurements: finds the table, guesses what it holds, checks it, writes run files.

- `tables`: tables in files, however they are written; `headers`: what names and units stand for, and what cells bear;
- `measurements`: the eleven kinds, and what a run file of each looks like; `series`: which columns belong together;
- `shapes`, `guessing`: what a table seems to hold; `recipe_files`: how known ones are read;
- `resolving`: which column is which; `rows`, `conversion`, `table_import`: checked rows in SI, the run file;
- `extraction`: what the procedures of the same kind extract; `command`, `panel`: `mho import`, and the window's panel.
"""

from mho.extensions.imports.guessing import COLUMN_WORDS, Candidate, Guess, guess
from mho.extensions.imports.headers import UNITS, ColumnHeader
from mho.extensions.imports.measurements import MEASUREMENTS, Measurement
from mho.extensions.imports.recipe_files import (
    NamedRecipe,
    Recipe,
    RecipeMemory,
    constants_in_si,
    decimal_of,
    find_recipe,
    packaged_recipes,
    recipe_of,
)
from mho.extensions.imports.table_import import (
    Derivation,
    Derived,
    Imported,
    TableReading,
    import_reading,
    import_table,
    measurement_named,
)
from mho.extensions.imports.tables import DECIMAL_MARKS

__all__ = [
    "COLUMN_WORDS", "DECIMAL_MARKS", "MEASUREMENTS", "UNITS", "Candidate", "ColumnHeader", "Derivation",
    "Derived", "Guess", "Imported", "Measurement", "NamedRecipe", "Recipe", "RecipeMemory", "TableReading",
    "constants_in_si", "decimal_of", "find_recipe", "guess", "import_reading", "import_table",
    "measurement_named", "packaged_recipes", "recipe_of",
]  # fmt: skip
