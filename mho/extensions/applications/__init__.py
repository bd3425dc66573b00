"""Applications of analogue inversion and products, each a procedure with the pure algorithm beneath it.

- `application`: what they share: matrices held on the chip one after another, and what these cost;
- `near_matrix`: answers by a matrix near theirs;
- `input_data`, `image_files`: tables and pictures from files;
- `control`, `fields`, `graphs`, `learning`, `training`, `wireless`: a room for each field of use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.extensions.applications.control.arm import Arm
    from mho.extensions.applications.control.kalman import Kalman
    from mho.extensions.applications.control.portfolio import Portfolio
    from mho.extensions.applications.control.powerflow import PowerFlow
    from mho.extensions.applications.fields.diffusion import Diffusion
    from mho.extensions.applications.fields.junction import Junction
    from mho.extensions.applications.fields.poisson import Poisson
    from mho.extensions.applications.graphs.eigenvector import Eigenvector
    from mho.extensions.applications.graphs.page_rank import PageRank
    from mho.extensions.applications.learning.factorisation import Factorisation
    from mho.extensions.applications.learning.pseudo_inverse import PseudoInverse
    from mho.extensions.applications.learning.regression import Regression
    from mho.extensions.applications.training.train import Train
    from mho.extensions.applications.training.training_result import TrainingResult
    from mho.extensions.applications.wireless.mimo import Mimo
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = [
    "Arm", "Diffusion", "Eigenvector", "Factorisation", "Junction", "Kalman", "Mimo", "PageRank", "Poisson",
    "Portfolio", "PowerFlow", "PseudoInverse", "Regression", "Train", "TrainingResult",
]  # fmt: skip
