"""The known strategies: mho's own, those of installed packages, and a user's own by ``module:Class`` or a file."""

from __future__ import annotations

from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.errors import InputError, nearest
from mho.extension_points import find_offer, usable_offers
from mho.own_code import import_own
from mho.procedures.cells.programming.settings_text import settings_in_use
from mho.procedures.cells.programming.strategy import Strategy

ENTRY_POINTS = "mho.strategies"
"""Entry-point group of a package's strategies: ``halving = "my_lab.programming:Halving"``."""

STRATEGIES = {
    "asap": f"{__package__}.literature:Asap",
    "fppv": f"{__package__}.literature:Fppv",
    "gdp": f"{__package__}.literature:Gdp",
    "ispp": f"{__package__}.literature:Ispp",
    "model": f"{__package__}.model:Model",
}
"""mho's own, ``module:Class`` by name: each is imported when it is used."""


def known_strategies() -> list[str]:
    """Return the names of mho's own strategies and of those of installed packages."""
    return sorted({*STRATEGIES, *usable_offers(ENTRY_POINTS, "strategy", STRATEGIES)})


def find_strategy(name: str) -> type[Strategy]:
    """Return the strategy called `name`, ``module:Class`` or ``path/file.py:Class``.

    Raises
    ------
    InputError
        When there is none, with the nearest name, or the reason why it cannot be loaded.
    """
    return import_own(strategy_class_name(name), Strategy, "strategy")


def strategy_class_name(name: str) -> str:
    """Return ``module:Class`` or ``path/file.py:Class``, which `find_strategy` would load for `name`; loads nothing.

    Raises
    ------
    InputError
        As `find_strategy`, for a name without a colon.
    """
    if ":" in name:
        return name
    if name.lower() in STRATEGIES:
        return STRATEGIES[name.lower()]
    if (offer := find_offer(ENTRY_POINTS, "strategy", name)) is not None:
        return offer.target
    raise InputError(
        f"there is no strategy {name!r}, and one of your own is written module:Class or path/file.py:Class; "
        f"{nearest(name, known_strategies())}"
    )


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
