"""Names in messages and of files: a list short enough to read, the name that was probably meant, a safe file name."""

from __future__ import annotations

import difflib
import re
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


#: What a name of a model, a class or a column must not hold: C0, DEL, C1, and what ends a line in Unicode.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def has_control(name: str) -> bool:
    """Whether a name holds control characters, or is not on one line."""
    return _CONTROL.search(name) is not None


#: Letters of a file name that is made of another name; with a suffix it stays below what file systems take.
MAX_FILE_NAME = 60

#: Names that Windows keeps for devices, whatever their suffix.
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def file_name(name: str, default: str) -> str:
    """Return what of a name every file system takes as the name of one file, ``default`` where nothing is left.

    Models, classes and runs are named by whoever made them, a board among others: ``../../x``, an absolute path, NUL or
    255 bytes must not decide where something is written. The result has letters, digits, ``_``, ``-`` and ``.``, and
    begins with none of the last two.
    """
    plain = re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip(".-")[:MAX_FILE_NAME].rstrip(".-")
    return f"_{plain}" if _DEVICES.fullmatch(plain) else plain or default
