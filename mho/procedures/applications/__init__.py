"""Applications of analogue inversion and products, each a procedure with the pure algorithm beneath it.

- `application`: what they share: matrices held on the chip one after another, and what these cost;
- `comparison`, `recorded_cycles`: answers beside the digital ones, cycle by cycle; `named_columns`: tables from files;
- a room for each field of use.
"""
