"""A group of verbs that is imported only when one of them is typed: what it brings takes its time to load."""

from __future__ import annotations

from collections.abc import MutableMapping
from functools import cached_property
from importlib import import_module
from typing import Any, cast

from typer.core import TyperGroup
from typer.main import get_command


class LazyVerbs(TyperGroup):
    """Placeholder of a `typer.Typer` in another module.

    Parameters
    ----------
    place : str
        ``module:app``.
    name, help, rich_help_panel : str
        As a `TyperGroup` has them.
    """

    def __init__(self, place: str, **shown: Any) -> None:
        self._place = place
        super().__init__(**shown)

    @cached_property
    def verbs(self) -> TyperGroup:
        """The group itself."""
        module, _, app = self._place.partition(":")
        verbs = cast(TyperGroup, get_command(getattr(import_module(module), app)))
        verbs.help = self.help
        return verbs

    def make_context(self, *words: Any, **settings: Any) -> Any:
        """Create the context of the loaded group, which is then called, completed and asked for help."""
        return self.verbs.make_context(*words, **settings)

    @property
    def commands(self) -> MutableMapping[str, Any]:
        """The verbs of the group by name."""
        return self.verbs.commands

    @commands.setter
    def commands(self, none: MutableMapping[str, Any]) -> None:
        """Ignore other commands: those of the loaded group are used."""
