"""Names in messages and of files: readable lists, suggestions for mistyped names, safe file names."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence


def listing(names: Sequence[str], limit: int = 12) -> str:
    """Return the first ``limit`` names, separated by commas, and the number of the others."""
    shown = ", ".join(name if name.isprintable() else repr(name) for name in names[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown


def suggestion(name: str, names: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for a near miss of one of ``names``, else an empty string."""
    folded = {known.casefold(): known for known in names}
    near = difflib.get_close_matches(name.casefold(), folded, n=1)
    return f" Did you mean {folded[near[0]]!r}?" if near else ""


#: Characters that names of models, classes and columns must not contain: C0, DEL, C1, and line ends in Unicode.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def has_control(name: str) -> bool:
    """Whether a name contains control characters or line breaks."""
    return _CONTROL.search(name) is not None


#: Maximum length of a file name made from another name; with a suffix it stays within file systems' limits.
MAX_FILE_NAME = 60

#: Names that Windows reserves for devices, with any suffix.
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def file_name(name: str, default: str) -> str:
    """Return a name reduced to what every file system accepts as a file name; ``default`` if nothing is left.

    Anyone, even a board, can name models, classes and runs, so ``../../x``, an absolute path, NUL or 255 bytes must not
    decide where a file is written. The result consists of letters, digits, ``_``, ``-`` and ``.``, and does not begin
    with the last two.
    """
    plain = re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip(".-")[:MAX_FILE_NAME].rstrip(".-")
    return f"_{plain}" if _DEVICES.fullmatch(plain) else plain or default
