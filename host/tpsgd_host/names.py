"""How messages put names: a list short enough to read, and the name that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


def listing(names: Sequence[str], limit: int = 12) -> str:
    """Return the first ``limit`` names with commas between them, and how many more there are."""
    shown = ", ".join(name if name.isprintable() else repr(name) for name in names[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown


def suggestion(name: str, names: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for a near miss of one of ``names``, else an empty string."""
    folded = {known.casefold(): known for known in names}
    near = difflib.get_close_matches(name.casefold(), folded, n=1)
    return f" Did you mean {folded[near[0]]!r}?" if near else ""
