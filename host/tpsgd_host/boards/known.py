"""Find what a table of this package describes, by its name or an alias."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeVar

from tpsgd_host.errors import ConfigError
from tpsgd_host.names import listing, suggestion


class Named(Protocol):
    """What has other names than its own."""

    @property
    def aliases(self) -> tuple[str, ...]:
        """Its other names."""


T = TypeVar("T", bound=Named)


def find(name: str, known: Mapping[str, T], kind: str) -> T:
    """Return one of ``known`` by its name or an alias.

    Parameters
    ----------
    kind : str
        What they are, for the message.

    Raises
    ------
    ConfigError
        If there is none of this name.
    """
    aliases = {alias: one for one in known.values() for alias in one.aliases}
    found = known.get(name) or aliases.get(name)
    if found is None:
        said = f"Known: {listing(list(known), 20)}.{suggestion(name, [*known, *aliases])}"
        raise ConfigError(f"no {kind} is called {name!r}", said)
    return found
