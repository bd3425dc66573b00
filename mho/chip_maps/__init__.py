"""Which cell holds what: the chip, its levels, and the way from a matrix to digits on cells.

- `chip`: the chip map, a TOML file; `maps`: those that ship with mho;
- `levels`: digits, conductances and verify windows; `defects`: the list of a chip's lost cells;
- `matrix_files`: matrices and right-hand sides from files; `matrices`: samples, found by name;
- `multiply_encoding`: integers, 3-bit slices, and a signed matrix on the arrays for MVM;
- `inverse_encoding`: a signed matrix on the arrays for INV, and whether its loop settles and the refinement converges;
- `preconditioning`: scales, order and signs of the rows;
- `placement`: the rows and columns that hold a block, past known bad cells; `checksums`: its check columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.chip_maps.chip import ArrayMap, ChipMap, load_chip_map, parse_chip_map, read_chip_text
    from mho.chip_maps.defects import DefectFinding
    from mho.chip_maps.inverse_encoding import Encoding, InverseEncoding
    from mho.chip_maps.levels import Levels
    from mho.chip_maps.matrix_files import (
        Source,
        from_real_vector,
        load_digits,
        load_matrix,
        sample_names,
        to_real,
        to_real_vector,
    )
    from mho.chip_maps.multiply_encoding import (
        MAX_BITS,
        MultiplyEncoding,
        columns_to_fixed_point,
        encode_multiply,
    )
    from mho.chip_maps.placement import Placement
    from mho.chip_maps.preconditioning import OwnPreconditioning, Preconditioning
    from mho.chip_maps.write_verify_settings import WriteVerifySettings
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = [
    "MAX_BITS", "ArrayMap", "ChipMap", "DefectFinding", "Encoding", "InverseEncoding", "Levels",
    "MultiplyEncoding", "OwnPreconditioning", "Placement", "Preconditioning", "Source",
    "WriteVerifySettings", "columns_to_fixed_point", "encode_multiply", "from_real_vector",
    "load_chip_map", "load_digits", "load_matrix", "parse_chip_map", "read_chip_text", "sample_names",
    "to_real", "to_real_vector",
]  # fmt: skip
