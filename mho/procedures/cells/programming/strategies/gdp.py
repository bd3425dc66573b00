"""The strategy `gdp`: cells are brought near their levels, and then the error of products is minimised, not that of cells.

Gradient descent-based programming (Buechel et al., IEEE J. Emerg. Sel. Topics Circuits Syst. 13, 1052 (2023)): vectors are
multiplied with the whole block, and the gradient of the squared error of the products with respect to each conductance
says which cells to raise and which to lower, and by how much. `product_descent` does that; here is what a cell gets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.procedures.cells.programming.strategies.model import Model
from mho.procedures.cells.programming.strategy import Values


@dataclass
class Gdp(Model):
    """Programs cells by `model` to within `gdp_window` of their windows; a descent of the error of products follows."""

    descends: ClassVar[bool] = True

    @classmethod
    def towards(
        cls, target: Values, low: Values, high: Values, settings: WriteVerifySettings, memory: Any = None
    ) -> Self:
        """Create the state with `gdp_window` of the verify window as the aim, in place of `inner`."""
        return super().towards(target, low, high, wide_settings(settings), memory)

    @classmethod
    def descending(
        cls, target: Values, low: Values, high: Values, settings: WriteVerifySettings, memory: Any = None
    ) -> Self:
        """Create the state as `Strategy.descending`; cells are lowered gently, since all of them count all the time."""
        state = super().descending(target, low, high, settings.model_copy(update={"gdp_window": 1.0}), memory)
        state.gently = True
        return state


def wide_settings(settings: WriteVerifySettings) -> WriteVerifySettings:
    """Return settings that aim for the windows of `gdp_window`, which may be wider than the verify windows."""
    return settings.model_copy(update={"inner": settings.gdp_window})
