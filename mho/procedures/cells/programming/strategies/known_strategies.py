"""The known strategies: mho's own, those of installed packages, and a user's own by ``module:Class`` or a file."""

from __future__ import annotations

from collections.abc import Callable

from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.procedures.cells.programming.settings_text import settings_in_use
from mho.procedures.cells.programming.strategy import Strategy
from mho.procedures.named_code import CODE

STRATEGY = CODE["strategy"]
STRATEGIES = STRATEGY.known
known_strategies = STRATEGY.names

find_strategy: Callable[[str | type], type[Strategy]] = STRATEGY.find
"""Return the strategy called so, ``module:Class`` or ``path/file.py:Class``; errors as `CodeKind.find`."""


def chosen_strategy(
    on_chip: WriteVerifySettings, text: str | None, name: str | None = None
) -> tuple[WriteVerifySettings, type[Strategy]]:
    """Return the settings and the strategy of a run.

    `on_chip`: the chip map's. `text`: settings of the run's own, which go before the chip map's. `name`: of the
    strategy, as for `find_strategy`; where left out, that of the settings. Raises `InputError` as `find_strategy` and
    `read_settings`.
    """
    if name is None:
        settings = settings_in_use(on_chip, text)
        strategy = find_strategy(settings.strategy)
        return settings_in_use(on_chip, text, strategy.settings_type), strategy
    strategy = find_strategy(name)
    short = strategy.__name__ if ":" in name else name.lower()
    return settings_in_use(on_chip, text, strategy.settings_type, short), strategy
